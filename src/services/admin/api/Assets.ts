/**
 * The files of the dashboard, as the node serves them: by their exact names, so that no path leads anywhere else.
 *
 * They are read once. A browser keeps them and asks whether they are still the same.
 */
import { Effect } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { createHash } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { extname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"

interface Asset {
  readonly bytes: Uint8Array
  /** The same, compressed. */
  readonly gzipped: Uint8Array
  readonly type: string
  readonly etag: string
}

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".woff2": "font/woff2",
  ".json": "application/json",
  ".webmanifest": "application/manifest+json",
  ".txt": "text/plain; charset=utf-8"
}

/** Nothing is loaded but what this node serves, no script stands in a page, and no other page shows one of ours. */
export const pageHeaders = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; " +
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY"
} as const

const root = fileURLToPath(new URL("../../../dashboard/", import.meta.url))

/** The files below the directory of the dashboard, by the path at which they are served. */
const read = (): ReadonlyMap<string, Asset> => {
  const assets = new Map<string, Asset>()
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const type = types[extname(entry.name)]
    if (!entry.isFile() || type === undefined) continue
    const path = join(entry.parentPath, entry.name)
    const name = path.slice(root.length).replaceAll("\\", "/")
    const bytes = readFileSync(path)
    const etag = `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"`
    assets.set(name === "index.html" ? "/" : `/assets/${name}`, { bytes, gzipped: gzipSync(bytes), type, etag })
  }
  return assets
}

let assets: ReadonlyMap<string, Asset> | undefined

/** Answers with the file at the path of the request; nothing where there is none. */
export const serve = Effect.map(HttpServerRequest.HttpServerRequest, ({ url, headers }) => {
  assets ??= read()
  const asset = assets.get(url.replace(/[?#].*$/s, ""))
  if (asset === undefined) return HttpServerResponse.empty({ status: 404 })
  const { bytes, gzipped, type, etag } = asset
  const isGzip = /\bgzip\b/.test(headers["accept-encoding"] ?? "")
  const kept = {
    ...pageHeaders,
    etag,
    "cache-control": "no-cache",
    vary: "accept-encoding",
    ...(isGzip && { "content-encoding": "gzip" })
  }
  return headers["if-none-match"] === etag
    ? HttpServerResponse.empty({ status: 304, headers: kept })
    : HttpServerResponse.uint8Array(isGzip ? gzipped : bytes, { contentType: type, headers: kept })
})
