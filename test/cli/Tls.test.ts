/**
 * `tls init`, `tls issue` and `tls show` as processes of their own; what they make is judged by openssl, and by nodes.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { createHash, X509Certificate } from "node:crypto"
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync } from "node:fs"
import { join } from "node:path"
import type { NodeStatus } from "../../src/services/node/Status.ts"
import type { CertificateFacts, KeyFacts, ListFacts } from "../../src/services/transport/tls/Description.ts"
import { type Finished, freshHome, Nodes, run, until } from "../support/Nodes.ts"
import { needs } from "../support/Needs.ts"

interface Revoked {
  readonly crl: string
  readonly subject: string | null
  readonly was_revoked: boolean
  readonly count: number
}

interface Made {
  readonly directory: string
  readonly ca: string
  readonly ca_key?: string
  readonly cert: string
  readonly key: string
  readonly names: ReadonlyArray<string>
  readonly expires_at: number
  readonly ca_expires_at: number
}

let home: string
let remove: () => void
const nodes = new Nodes()
beforeAll(() => {
  const fresh = freshHome()
  home = fresh.home
  remove = fresh.remove
})
afterAll(async () => {
  await nodes.dispose()
  remove()
})

const day = 86_400

const cli = (...args: ReadonlyArray<string>): Promise<Finished> => run(["tls", ...args], { FERAL_HOME: home })

const json = async <A>(...args: ReadonlyArray<string>): Promise<A> => {
  const { code, stdout, stderr } = await cli(...args, "--json")
  assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
  return JSON.parse(stdout) as A
}

const refused = async (...args: ReadonlyArray<string>): Promise<string> => {
  const { code, stdout, stderr } = await cli(...args, "--json")
  assert.deepStrictEqual({ code, stdout }, { code: 2, stdout: "" })
  return (JSON.parse(stderr) as { message: string }).message
}

const openssl = (line: string, ...files: ReadonlyArray<string>): string =>
  execFileSync("openssl", [...line.split(" "), ...files], { encoding: "utf8", stdio: "pipe" })

/** What OpenSSL has to say of a certificate that is used at both ends; the CA of the recipe does not pass `-x509_strict`. */
const verified = ({ ca, cert, key }: Made, options = "-x509_strict"): void => {
  for (const purpose of ["sslserver", "sslclient"]) {
    assert.include(openssl(`verify ${options} -purpose ${purpose} -CAfile`, ca, cert), ": OK")
  }
  assert.strictEqual(openssl("pkey -pubout -in", key), openssl("x509 -noout -pubkey -in", cert))
}

const modeOf = (path: string) => statSync(path).mode & 0o777

const variables = ({ ca, cert, key }: Made) => ({
  FERAL_SYNC_TLS_CERT: cert,
  FERAL_SYNC_TLS_KEY: key,
  FERAL_SYNC_TLS_CA: ca,
  FERAL_SYNC_REQUIRE_CLIENT_CERT: "true"
})

/** Starts a node with one set of files, and one with another that dials it, and waits until they are live. */
const meet = async (one: Made, other: Made): Promise<void> => {
  const server = await nodes.make(variables(one)).start()
  const dialler = nodes.make({ ...variables(other), FERAL_SYNC_PEERS: server.address, FERAL_SYNC_MDNS_TIMEOUT: "0" })
  await dialler.start()
  const status = await until(
    "the two are live",
    () => dialler.status(),
    ({ peers }) => peers.some(({ state }) => state === "live")
  )
  assert.deepInclude(status.peers[0], { tls: "ca", last_error: null })
  assert.strictEqual(status.tls_expires_at, Math.min(other.expires_at, other.ca_expires_at))
  const text = (await run(["status", "--home", dialler.home])).stdout
  assert.match(text, /Certificate valid until \d{4}-\d\d-\d\d\n/)
  await Promise.all([server.stop(), dialler.stop()])
}

describe.skipIf(needs("openssl"))("tls", { timeout: 60_000 }, () => {
  it("init: a CA and a certificate for this machine, for this user alone, and the lines to paste", async () => {
    const { code, stdout, stderr } = await cli("init")
    assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
    const directory = join(home, "tls")
    assert.deepStrictEqual(readdirSync(directory), ["ca-cert.pem", "ca-key.pem", "peer-cert.pem", "peer-key.pem"])
    for (const path of [home, directory]) assert.strictEqual(modeOf(path), 0o700)
    for (const file of readdirSync(directory)) assert.strictEqual(modeOf(join(directory, file)), 0o600)
    assert.include(stdout, `export FERAL_SYNC_TLS_KEY=${join(directory, "peer-key.pem")}\n`)
    assert.include(stdout, ` tls issue --ca ${directory} --name`)
    assert.notInclude(stdout, readFileSync(join(directory, "peer-key.pem"), "utf8").split("\n")[1] ?? "")

    const shown = openssl(`x509 -in ${join(directory, "peer-cert.pem")} -noout -text`)
    for (const part of ["DNS:localhost", "IP Address:127.0.0.1", "IP Address:0:0:0:0:0:0:0:1", "Digital Signature"]) {
      assert.include(shown, part)
    }
    assert.include(shown, "TLS Web Server Authentication, TLS Web Client Authentication")
    const authority = openssl(`x509 -in ${join(directory, "ca-cert.pem")} -noout -text`)
    for (const part of ["CN = FERAL Sync CA", "CA:TRUE", "Certificate Sign"]) assert.include(authority, part)
  })

  it("init and issue: names, days and places as given; the certificates of both are verified, and meet", async () => {
    const directory = join(home, "a dir's", "deep")
    const made = await json<Made>("init", "--out", directory, "--name", "laptop", "--name", "10.0.0.5", "--days", "30")
    verified(made)
    assert.deepStrictEqual(made.names, ["laptop", "10.0.0.5"])
    assert.strictEqual(made.ca_key, join(directory, "ca-key.pem"))
    const now = Date.now() / 1000
    assert.approximately(made.expires_at, now + 30 * day, 60)
    assert.approximately(made.ca_expires_at, now + 3650 * day, 60)
    const certificate = new X509Certificate(readFileSync(made.cert))
    assert.strictEqual(certificate.subjectAltName, "DNS:laptop, IP Address:10.0.0.5")
    assert.strictEqual(Date.parse(certificate.validTo) / 1000, made.expires_at)
    assert.isBelow(Date.parse(certificate.validFrom) / 1000, now - day / 2)

    const long = `${"x".repeat(60)}.example.org`
    const issued = await json<Made>(
      "issue",
      "--ca",
      directory,
      "--name",
      "desktop",
      "--name",
      "fd00::7",
      "--name",
      long
    )
    verified(issued)
    assert.strictEqual(issued.directory, join(directory, "desktop"))
    assert.strictEqual(modeOf(issued.directory), 0o700)
    assert.deepStrictEqual(readFileSync(issued.ca), readFileSync(made.ca))
    await meet(made, issued)
    await meet(issued, made)
  })

  it("issue: a CA of the openssl recipe signs as well, and both kinds of certificates meet", async () => {
    const directory = join(home, "recipe")
    mkdirSync(directory, { recursive: true })
    for (const command of [
      `openssl req -x509 -newkey rsa:4096 -days 40 -nodes -keyout ca-key.pem -out ca-cert.pem -subj "/CN=FERAL Sync CA"`,
      `openssl req -newkey rsa:2048 -nodes -keyout peer-key.pem -out peer.csr -subj "/CN=feral-peer"`,
      "openssl x509 -req -in peer.csr -CA ca-cert.pem -CAkey ca-key.pem -CAcreateserial -out peer-cert.pem -days 30"
    ]) {
      execFileSync("sh", ["-c", command], { cwd: directory, stdio: "pipe" })
    }
    const at = (file: string) => join(directory, file)
    const issued = await json<Made>("issue", "--ca", at("ca-cert.pem"), "--name", "second")
    verified(issued, "-check_ss_sig")
    // No certificate outlives its CA.
    assert.strictEqual(issued.expires_at, issued.ca_expires_at)
    assert.approximately(issued.expires_at, Date.now() / 1000 + 40 * day, day)
    const files = { ca: at("ca-cert.pem"), cert: at("peer-cert.pem"), key: at("peer-key.pem") }
    const expires_at = Date.parse(new X509Certificate(readFileSync(files.cert)).validTo) / 1000
    await meet({ ...issued, ...files, expires_at }, issued)
  })

  it("nothing that is there is written over, unless that was asked for", async () => {
    const directory = join(home, "kept")
    const made = await json<Made>("init", "--out", directory, "--name", "one")
    const contents = () =>
      readdirSync(directory).map((file) =>
        createHash("sha256")
          .update(readFileSync(join(directory, file)))
          .digest("hex")
      )
    const before = contents()
    assert.match(await refused("init", "--out", directory), /ca-cert\.pem, ca-key\.pem.* already exist: move them away/)
    assert.match(
      await refused("issue", "--ca", directory, "--name", "one", "--out", directory),
      /peer-cert\.pem, .*--force/
    )
    renameSync(made.cert, `${made.cert}.away`)
    assert.match(await refused("init", "--out", directory), /ca-cert\.pem, ca-key\.pem, peer-key\.pem already exist/)
    renameSync(`${made.cert}.away`, made.cert)
    assert.deepStrictEqual(contents(), before)

    const renewed = await json<Made>("issue", "--ca", directory, "--name", "one", "--out", directory, "--force")
    verified(renewed)
    assert.notDeepEqual(contents(), before)
    assert.strictEqual(renewed.cert, made.cert)
  })

  it("what cannot sign is named, with the next step", async () => {
    const directory = join(home, "refusals")
    const made = await json<Made>("init", "--out", directory, "--name", "one")
    const issue = (...args: ReadonlyArray<string>) => refused("issue", "--name", "two", ...args)
    assert.match(await issue("--ca", join(home, "nowhere")), /nowhere: the file does not exist/)
    assert.match(
      await issue("--ca", made.cert, "--ca-key", made.key),
      /peer-cert\.pem: .* is not a CA certificate: give/
    )
    assert.match(await issue("--ca", made.ca, "--ca-key", made.key), /peer-key\.pem: the key does not belong to/)
    chmodSync(made.ca_key ?? "", 0o644)
    assert.match(await issue("--ca", directory), /ca-key\.pem: other users can read .* chmod 600/)
    assert.match(await refused("issue"), /--name/)
    assert.match(await refused("init", "--out", join(home, "never"), "--name", "two words"), /host name or an IP/)
    assert.match(await refused("init", "--days", "0"), /days/)
    assert.notInclude(readdirSync(home), "never")
  })

  it("a certificate that ends soon is warned about, in the log and in the status", async () => {
    const made = await json<Made>("init", "--out", join(home, "short"), "--name", "short", "--days", "10")
    const node = await nodes.make(variables(made)).start()
    assert.strictEqual((await node.status()).tls_expires_at, made.expires_at)
    const { stdout } = await run(["status", "--home", node.home])
    assert.match(
      stdout,
      new RegExp(
        `Certificate expires in 9 d, on \\d{4}-\\d\\d-\\d\\d: sign a new one \\(".* tls issue --home ${node.home}"\\)\\n`
      )
    )
    assert.match(node.log, /peer-cert\.pem: the certificate \(CN=short, .* expires on .*, 9 days from now/)
    await node.stop()
  })

  it("files that a node cannot use stop its start, with exit code 2 and the name of the file", async () => {
    const made = await json<Made>("init", "--out", join(home, "unusable"), "--name", "one")
    chmodSync(made.key, 0o640)
    const { code, stdout, stderr } = await run(["start", "--json", "--home", join(home, "never")], variables(made))
    assert.deepStrictEqual({ code, stdout }, { code: 2, stdout: "" })
    const { _tag, message } = JSON.parse(stderr.trim().split("\n").at(-1) ?? "") as { _tag: string; message: string }
    assert.strictEqual(_tag, "TlsMaterialInvalid")
    assert.strictEqual(message, `${made.key}: other users can read the private key (mode 0640): chmod 600 ${made.key}`)
  })

  it("revoke: two running nodes end their connection within seconds, and say why", async () => {
    const directory = join(home, "revoked")
    const made = await json<Made>("init", "--out", directory, "--name", "home")
    const lost = await json<Made>("issue", "--ca", directory, "--name", "lost")
    const spare = await json<Made>("issue", "--ca", directory, "--name", "spare")
    const crl = join(directory, "ca-crl.pem")
    const list = await json<Revoked>("revoke", spare.cert, "--ca", directory)
    assert.deepInclude(list, { crl, subject: "CN=spare", was_revoked: false, count: 1 })

    const keeper = await nodes.make({ ...variables(made), FERAL_SYNC_TLS_CRL: crl }).start()
    const dialler = { FERAL_SYNC_PEERS: keeper.address, FERAL_SYNC_MDNS_TIMEOUT: "0" }
    const other = await nodes.make({ ...variables(lost), ...dialler }).start()
    const isLive = ({ peers }: NodeStatus) => peers.some(({ state }) => state === "live")
    await until("the two are live", () => keeper.status(), isLive)
    const { stdout } = await run(["tls", "revoke", lost.cert, "--ca", directory])
    assert.match(stdout, /^Revoked CN=lost, serial number [\da-f]+\n.*ca-crl\.pem lists 2 revoked certificates\./)
    await until(
      "the lost device is out",
      () => keeper.status(),
      (status) => !isLive(status)
    )
    assert.match(keeper.log, /the certificate of a connected peer was revoked: closing its connection/)
    await until(
      "the device is told what it can be",
      () => other.status(),
      ({ peers }) => peers.some(({ last_error }) => /or has revoked it/.test(JSON.stringify(last_error)))
    )
    await Promise.all([keeper.stop(), other.stop()])

    const facts = await json<ReadonlyArray<ListFacts>>("show", crl, made.ca)
    assert.deepInclude(facts.at(-1), { type: "crl", issuer: "CN=FERAL Sync CA", signed_by: [made.ca] })
    assert.match(
      (await run(["tls", "show", crl])).stdout,
      /a list of 2 revoked certificates\n[^]*Revoked +[\da-f]+, on /
    )
    assert.match(await refused("revoke", join(home, "nowhere.pem"), "--ca", directory), /the file does not exist/)
  })

  it("show: what each file is, and which belong together", async () => {
    const made = await json<Made>("init", "--out", join(home, "shown"), "--name", "shown", "--days", "10")
    const facts = await json<ReadonlyArray<CertificateFacts | KeyFacts>>("show", made.cert, made.key, made.ca)
    const [cert, key, ca] = facts
    assert.deepInclude(cert, {
      type: "certificate",
      role: "peer",
      subject: "CN=shown",
      issuer: "CN=FERAL Sync CA",
      names: ["shown"],
      key: "ec prime256v1",
      valid_until: made.expires_at,
      status: "expires soon",
      signed_by: [made.ca],
      key_files: [made.key]
    })
    assert.deepInclude(key, { type: "key", mode: "0600", certificate_files: [made.cert] })
    assert.deepInclude(ca, { role: "ca", status: "valid", key_files: [] })
    const { stdout } = await cli("show", made.cert, made.key, made.ca)
    assert.match(stdout, /peer-cert\.pem: the certificate of a node\n {2}Subject +CN=shown\n/)
    assert.match(stdout, /Valid .* expires soon, \d+ days left/)
    assert.notInclude(stdout, readFileSync(made.key, "utf8").split("\n")[1] ?? "")
  })

  it("show: without files, those of the configuration, and what keeps a node from using them", async () => {
    assert.deepStrictEqual(await json("show", "--home", join(home, "unused")), [])
    const made = await json<Made>("init", "--out", join(home, "configured"), "--name", "one")
    const good = await run(["tls", "show", "--json"], { FERAL_HOME: home, ...variables(made) })
    assert.strictEqual(good.code, 0)
    assert.strictEqual((JSON.parse(good.stdout) as ReadonlyArray<unknown>).length, 3)
    const other = await json<Made>("init", "--out", join(home, "other"), "--name", "one")
    const bad = await run(["tls", "show"], { FERAL_HOME: home, ...variables({ ...made, ca: other.ca }) })
    assert.strictEqual(bad.code, 2)
    assert.include(bad.stdout, "Subject")
    assert.match(bad.stderr, /peer-cert\.pem: .* was not signed by the CA in/)
  })
})
