/** `host:port,host:port` as settings have it. */
export const parseAddresses = (text: string) =>
  text
    .split(",")
    .filter((part) => part !== "")
    .map((part) => ({
      host: part.slice(0, part.lastIndexOf(":")),
      port: Number(part.slice(part.lastIndexOf(":") + 1))
    }))
