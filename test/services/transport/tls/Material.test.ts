/** What keeps a node from starting: each problem with its file and the next step. */
import { assert, describe, layer } from "@effect/vitest"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, Logger, References, type Scope } from "effect"
import { execFileSync } from "node:child_process"
import { createPrivateKey } from "node:crypto"
import { chmod, chown, copyFile, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TlsFiles } from "../../../../src/services/node/Config.ts"
import type { TlsMaterialInvalid } from "../../../../src/services/node/NodeFailure.ts"
import * as CertificatesCheck from "../../../../src/services/admin/doctor/Certificates.ts"
import type { Tls } from "../../../../src/services/transport/tls/Tls.ts"
import * as Certificates from "../../../support/Certificates.ts"
import * as Directory from "../../../support/Directory.ts"
import { needs } from "../../../support/Needs.ts"
import { settings } from "../../../support/Settings.ts"
import { alsoTrusting, ca, joined, live, load, Shelf } from "../../../support/TlsNodes.ts"

const refused = Effect.fnUntraced(function* (
  started: Effect.Effect<Tls["Service"], TlsMaterialInvalid, Scope.Scope>,
  file: string,
  problem: RegExp
) {
  const error = yield* Effect.flip(started)
  assert.strictEqual(error._tag, "TlsMaterialInvalid")
  assert.strictEqual(error.file, file)
  assert.match(error.message, problem)
  assert.isTrue(error.message.endsWith(`: ${error.nextStep}`))
})

/** A copy of a file, with a mode. */
const copied = (from: string, to: string, mode: number) =>
  Effect.promise(() => copyFile(from, to).then(() => chmod(to, mode)))

layer(Shelf.layer, { excludeTestServices: true, timeout: "60 seconds" })("the start", (it) => {
  it.effect(
    ...live("stops with files that cannot be used", (shelf) =>
      Effect.gen(function* () {
        const at = (name: string) => join(shelf.directory, name)
        const [text, broken, locked, huge, missing] = [at("text"), at("broken"), at("locked"), at("huge"), at("no")]
        const { key: readable } = yield* Certificates.contents(shelf.a)
        const encrypted = createPrivateKey(readable).export({
          type: "pkcs8",
          format: "pem",
          cipher: "aes-256-cbc",
          passphrase: "secret"
        })
        const body = Buffer.from("this is no certificate").toString("base64")
        const block = (label: string) => `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`
        yield* Effect.promise(() => writeFile(text, "hello"))
        yield* Effect.promise(() => writeFile(huge, Buffer.alloc(2 * 1024 * 1024)))
        yield* Effect.promise(() => writeFile(broken, block("CERTIFICATE") + block("PRIVATE KEY"), { mode: 0o600 }))
        yield* Effect.promise(() => writeFile(locked, encrypted, { mode: 0o600 }))
        const cases: ReadonlyArray<readonly [Partial<TlsFiles>, string, RegExp]> = [
          [{ cert: missing }, missing, /does not exist: check/],
          [{ key: missing }, missing, /does not exist: check/],
          [{ ca: missing }, missing, /does not exist: check/],
          [{ cert: shelf.directory }, shelf.directory, /this is a directory: give/],
          [{ key: "/dev/zero" }, "/dev/zero", /not a regular file: give/],
          [{ ca: huge }, huge, /too large for a PEM file: check/],
          [{ cert: text }, text, /no PEM certificate in this file: give/],
          [{ ca: text }, text, /no PEM certificate in this file: give/],
          [{ key: text }, text, /no PEM private key in this file: give/],
          [{ key: shelf.a.cert }, shelf.a.cert, /this is a certificate, not a private key/],
          [{ cert: shelf.a.key }, shelf.a.key, /this is a private key, not a certificate/],
          [{ ca: shelf.a.key }, shelf.a.key, /this is a private key, not a certificate/],
          [{ cert: broken }, broken, /cannot be read: copy it again/],
          [{ ca: broken }, broken, /cannot be read: copy it again/],
          [{ key: broken }, broken, /cannot be read: copy it again/],
          [{ key: locked }, locked, /encrypted: store it without a passphrase/],
          [{ key: shelf.b.key }, shelf.b.key, /does not belong to the certificate in .*a\.pem: use/],
          [{ ca: shelf.b.ca }, shelf.a.cert, /CN=peer-a.* was not signed by the CA in .*b-ca\.pem \(CN=CA-b\): sign/]
        ]
        for (const [changes, file, problem] of cases) {
          yield* refused(load(shelf.directory, ca({ ...shelf.a, ...changes })), file, problem)
        }
      })
    )
  )

  it.effect.skipIf(needs("openssl"))(
    ...live("stops with keys that are too weak", (shelf) =>
      Effect.gen(function* () {
        for (const [kind, problem] of [
          ["rsa:1024", /too weak \(1024 bits\): create one/],
          ["ec -pkeyopt ec_paramgen_curve:prime192v1", /curve prime192v1, which TLS does not support: create a key/]
        ] as const) {
          const line = `req -x509 -newkey ${kind} -nodes -days 9 -keyout weak-key.pem -out weak.pem -subj /CN=weak`
          yield* Certificates.run(shelf.directory, "openssl", ...line.split(" "))
          const [cert, key] = [join(shelf.directory, "weak.pem"), join(shelf.directory, "weak-key.pem")]
          yield* refused(load(shelf.directory, ca({ cert, key, ca: cert })), cert, problem)
        }
      })
    )
  )

  it.effect(
    ...live("stops with a key that other users can read, when it is for this user to change that", (shelf) =>
      Effect.gen(function* () {
        const key = join(shelf.directory, "open-key.pem")
        for (const mode of [0o640, 0o604, 0o620]) {
          yield* copied(shelf.a.key, key, mode)
          yield* refused(
            load(shelf.directory, ca({ ...shelf.a, key })),
            key,
            /other users can read .*: chmod 600 .*open-key/
          )
        }
        yield* copied(shelf.a.key, key, 0o400)
        yield* load(shelf.directory, ca({ ...shelf.a, key }))
        if (process.getuid?.() !== 0) return
        // A secret that is mounted for this user by another one.
        yield* copied(shelf.a.key, key, 0o644)
        yield* Effect.promise(() => chown(key, 65534, 65534))
        yield* load(shelf.directory, ca({ ...shelf.a, key }))
      })
    )
  )

  it.effect.skipIf(needs("root"))(
    ...live("warns of a key that other users can read, on a file system that is read-only", (shelf) =>
      Effect.gen(function* () {
        const mount = yield* Effect.acquireRelease(
          Effect.promise(async () => {
            const root = await mkdtemp(join(tmpdir(), "feral-mount-"))
            execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", root])
            return root
          }),
          (root) =>
            Effect.promise(async () => {
              execFileSync("umount", ["--lazy", root])
              await rm(root, { recursive: true })
            })
        )
        const key = join(mount, "key.pem")
        const files = ca({ ...shelf.a, key })
        for (const mode of [0o644, 0o640, 0o444]) {
          yield* copied(shelf.a.key, key, mode)
          execFileSync("mount", ["-o", "remount,ro", mount])
          const logged: Array<string> = []
          const logger = Logger.make(({ message }) => void logged.push(String(message)))
          yield* load(shelf.directory, files).pipe(
            Effect.provide(Logger.layer([logger])),
            Effect.provideService(References.MinimumLogLevel, "Warn")
          )
          assert.match(logged.join(), /other users can read the private key \(mode 0\d{3}\) on a read-only file system/)
          yield* joined(files, ca(shelf.a))
          const [finding] = yield* CertificatesCheck.examine(settings(shelf.directory, files)).pipe(
            Effect.provide(NodeFileSystem.layer)
          )
          assert.deepInclude(finding, {
            status: "warning",
            next_step: "mount it with mode 0400 for the user of this node"
          })
          execFileSync("mount", ["-o", "remount,rw", mount])
        }
      })
    )
  )

  it.effect(
    ...live("stops with a key that this user may not read", (shelf) =>
      Effect.gen(function* () {
        const directory = yield* Directory.directory
        const key = join(directory, "foreign-key.pem")
        yield* copied(shelf.a.key, key, 0o000)
        yield* Effect.promise(() => chmod(directory, 0o755))
        // Nothing is unreadable for root: it becomes somebody else for as long as it takes.
        const files = { cert: join(directory, "cert"), key, ca: join(directory, "ca") }
        yield* copied(shelf.a.cert, files.cert, 0o644)
        yield* copied(shelf.a.ca, files.ca, 0o644)
        const started = Effect.scoped(Effect.flip(load(directory, ca(files))))
        const isRoot = process.geteuid?.() === 0
        const error = yield* Effect.acquireUseRelease(
          Effect.sync(() => isRoot && process.seteuid?.(65534)),
          () => started,
          () => Effect.sync(() => isRoot && process.seteuid?.(0))
        )
        assert.strictEqual(error.file, key)
        assert.match(error.message, /this user may not read .* it: .*chown/)
      })
    )
  )

  describe("a certificate that leads to the CA", () => {
    const chain = Effect.fnUntraced(function* (shelf: Shelf["Service"], days: number) {
      const directory = yield* Directory.directory
      const sh = (script: string) => Certificates.run(directory, "sh", "-c", script)
      const signer = `-CA ${shelf.a.ca} -CAkey ${shelf.a.ca.replace("a-ca", "a-ca-key")} -set_serial 7`
      yield* sh(`openssl req -newkey rsa:2048 -nodes -keyout middle-key.pem -out middle.csr -subj /CN=middle
        printf 'basicConstraints=critical,CA:TRUE' > ca.ext
        openssl x509 -req -in middle.csr ${signer} -extfile ca.ext -out middle.pem -days ${days}
        openssl req -newkey rsa:2048 -nodes -keyout key.pem -out leaf.csr -subj /CN=leaf
        openssl x509 -req -in leaf.csr -CA middle.pem -CAkey middle-key.pem -set_serial 8 -out leaf.pem -days 9
        cat leaf.pem ${shelf.b.ca} ${shelf.a.ca} middle.pem > chain.pem`)
      const at = (name: string) => join(directory, name)
      return { leaf: at("leaf.pem"), chain: at("chain.pem"), middle: at("middle.pem"), key: at("key.pem") }
    })

    it.effect.skipIf(needs("openssl"))(
      ...live("does so through others in its file, whatever their order", (shelf) =>
        Effect.gen(function* () {
          const { leaf, chain: cert, middle, key } = yield* chain(shelf, 9)
          const whole = ca({ cert, key, ca: shelf.a.ca }, true)
          yield* joined(whole, whole)
          yield* joined(whole, ca(shelf.a))
          yield* refused(
            load(shelf.directory, ca({ cert: leaf, key, ca: middle })),
            middle,
            /this CA \(CN=middle, issued by CN=CA-a\) was signed by another CA: add that CA/
          )
          yield* refused(
            load(shelf.directory, ca({ cert: leaf, key, ca: shelf.a.ca })),
            leaf,
            /CN=leaf, issued by CN=middle.* was not signed by the CA/
          )
        })
      )
    )

    it.effect.skipIf(needs("openssl"))(
      ...live("is of no use when one on the way has expired", (shelf) =>
        Effect.gen(function* () {
          const { chain: cert, key } = yield* chain(shelf, -1)
          yield* refused(
            load(shelf.directory, ca({ cert, key, ca: shelf.a.ca })),
            cert,
            /CN=middle, issued by CN=CA-a\) expired on .*GMT: sign a new one/
          )
        })
      )
    )

    it.effect(
      ...live("may do so beside another CA in the file", (shelf) =>
        Effect.gen(function* () {
          yield* load(shelf.directory, ca(yield* alsoTrusting(shelf.b, shelf.a)))
          yield* load(shelf.directory, ca(yield* alsoTrusting(shelf.a, shelf.b)))
        })
      )
    )
  })
})
