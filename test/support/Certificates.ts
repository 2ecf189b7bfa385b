/** Certificates made with openssl, as users make them, and with dates that no user would choose. */
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import type { TlsFiles } from "../../src/services/Config.ts"

const execute = promisify(execFile)

export const run = (cwd: string, command: string, ...more: ReadonlyArray<string>) =>
  Effect.promise(() => execute(command, [...more], { cwd }))

/** A directory that is removed with the scope. */
export const directory = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "feral-sync-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)

const openssl = (cwd: string, line: string) => run(cwd, "openssl", ...line.split(" "))

/** The three commands of the documentation, to the letter, in a directory. */
export const recipe = Effect.fnUntraced(function* (cwd: string) {
  const commands = [
    `openssl req -x509 -newkey rsa:4096 -days 3650 -nodes -keyout ca-key.pem -out ca-cert.pem -subj "/CN=FERAL Sync CA"`,
    `openssl req -newkey rsa:2048 -nodes -keyout peer-key.pem -out peer.csr -subj "/CN=feral-peer"`,
    "openssl x509 -req -in peer.csr -CA ca-cert.pem -CAkey ca-key.pem -CAcreateserial -out peer-cert.pem -days 365"
  ]
  for (const command of commands) yield* run(cwd, "sh", "-c", command)
  return {
    ca: join(cwd, "ca-cert.pem"),
    cert: join(cwd, "peer-cert.pem"),
    key: join(cwd, "peer-key.pem")
  } satisfies TlsFiles
})

/** When a certificate is valid. */
export type Validity = "now" | "past" | "future"

/** A CA and one certificate of it, with small keys: quick to make. */
export const issue = Effect.fnUntraced(function* (cwd: string, name: string, validity: Validity = "now") {
  const key = "-newkey rsa:2048 -nodes"
  yield* openssl(cwd, `req -x509 ${key} -days 3650 -keyout ${name}-ca-key.pem -out ${name}-ca.pem -subj /CN=CA-${name}`)
  yield* openssl(cwd, `req ${key} -keyout ${name}-key.pem -out ${name}.csr -subj /CN=peer-${name}`)
  const signer = `-CA ${name}-ca.pem -CAkey ${name}-ca-key.pem -CAcreateserial`
  if (validity === "future") {
    const lines = ["[ca]", "default_ca=x", "[x]", "database=index", "rand_serial=yes", "default_md=sha256"]
    const more = ["policy=p", "new_certs_dir=.", "[p]", "commonName=supplied", ""]
    yield* Effect.promise(() => writeFile(join(cwd, "ca.cnf"), [...lines, ...more].join("\n")))
    yield* Effect.promise(() => writeFile(join(cwd, "index"), ""))
    const dates = "-startdate 20700101000000Z -enddate 20800101000000Z"
    const by = `-cert ${name}-ca.pem -keyfile ${name}-ca-key.pem`
    yield* openssl(cwd, `ca -batch -notext -config ca.cnf -in ${name}.csr ${by} ${dates} -out ${name}.pem`)
  } else {
    yield* openssl(cwd, `x509 -req -in ${name}.csr ${signer} -out ${name}.pem -days ${validity === "now" ? 365 : -1}`)
  }
  return {
    ca: join(cwd, `${name}-ca.pem`),
    cert: join(cwd, `${name}.pem`),
    key: join(cwd, `${name}-key.pem`)
  } satisfies TlsFiles
})

/** The content of such files. */
export const contents = (files: TlsFiles) =>
  Effect.promise(async () => ({
    ca: await readFile(files.ca, "utf8"),
    cert: await readFile(files.cert, "utf8"),
    key: await readFile(files.key, "utf8")
  }))
