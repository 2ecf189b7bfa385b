/** Lines over time as an SVG: one panel for each measure, one line for each node. */

export interface Panel {
  readonly title: string
  /** For each node its points: minutes, and the value. */
  readonly lines: ReadonlyArray<ReadonlyArray<readonly [minutes: number, value: number]>>
}

const width = 900
const height = 200
const margin = { left: 60, right: 20, top: 36, bottom: 24 } as const

export const svg = (panels: ReadonlyArray<Panel>): string => {
  const body = panels.map((panel, index) => drawn(panel, index * (height + margin.top + margin.bottom)))
  const total = panels.length * (height + margin.top + margin.bottom)
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width + margin.left + margin.right} ${total}" ` +
    `font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n${body.join("\n")}\n</svg>\n`
  )
}

const drawn = ({ title, lines }: Panel, top: number): string => {
  const points = lines.flat()
  const lastMinute = Math.max(1e-9, ...points.map(([minutes]) => minutes))
  const highest = Math.max(1, ...points.map(([, value]) => value)) * 1.1
  const x = (minutes: number) => margin.left + (minutes / lastMinute) * width
  const y = (value: number) => top + margin.top + height - (value / highest) * height
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => part * highest)
  const grid = ticks.map(
    (value) =>
      `<line x1="${margin.left}" x2="${margin.left + width}" y1="${y(value)}" y2="${y(value)}" stroke="#ddd"/>` +
      `<text x="${margin.left - 6}" y="${y(value) + 4}" text-anchor="end">${value.toFixed(highest < 10 ? 1 : 0)}</text>`
  )
  const curves = lines.map((line, index) => {
    const path = line.map(([minutes, value]) => `${x(minutes).toFixed(1)},${y(value).toFixed(1)}`).join(" ")
    return `<polyline points="${path}" fill="none" stroke="hsl(${(index * 360) / lines.length} 60% 45%)"/>`
  })
  const label = `<text x="${margin.left}" y="${top + margin.top - 10}" font-size="14">${title}</text>`
  const end = `<text x="${margin.left + width}" y="${top + margin.top + height + 16}" text-anchor="end">${lastMinute.toFixed(1)} minutes</text>`
  return [label, ...grid, ...curves, end].join("\n")
}
