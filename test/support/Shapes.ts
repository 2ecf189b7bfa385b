/** Key material in the shapes in which CAs and people make it, good and bad, by the openssl command. */
import { Effect } from "effect"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { TlsFiles } from "../../src/services/node/Config.ts"
import { run } from "./Certificates.ts"
import { directory } from "./Directory.ts"

export interface Shape {
  readonly name: string
  readonly files: TlsFiles
  /** What is said when it is refused; nothing when it is good. */
  readonly refused?: RegExp
  /** Refused by a rule of ours: OpenSSL, or a file in another form, could still be used. */
  readonly isOurRule?: true
  /** It is among peers that trust this CA, and no other, that it is of no use. */
  readonly isOfItsCaAlone?: true
}

const isCa = "basicConstraints=critical,CA:TRUE"
const both = "extendedKeyUsage=serverAuth,clientAuth"

/** Bash functions, and the material: NAME.pem with NAME.key, of `root` where nothing else is said. */
const script = `
set -e
ec() { openssl ecparam -name \${2:-prime256v1} -genkey -noout -out $1.key; }
self() { openssl req -x509 -config c.cnf -new -key $1.key -subj /CN=$1 -days \${3:-99} -addext "$2" \${4:+-addext "$4"} -out $1.pem; }
# sign NAME CA EXTENSIONS OPTIONS: several extensions are separated by a vertical bar
sign() {
  openssl req -config c.cnf -new -key $1.key -subj /CN=$1 -out $1.csr
  printf '%s\\n' "$3" | tr '|' '\\n' > $1.ext
  openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -set_serial 0x$(openssl rand -hex 8) -extfile $1.ext -out $1.pem \${4:--days 9}
}
leaf() { cp \${5:-leaf.key} $1.key; sign "$1" "\${2:-root}" "$3" "$4"; }
printf '[req]\\ndistinguished_name=d\\n[d]\\n' > c.cnf
for name in root leaf middle shallow v1 bare false usage other deep limited; do ec $name; done
self root ${isCa}
self other ${isCa}
self shallow ${isCa},pathlen:0
self bare subjectKeyIdentifier=hash
self false basicConstraints=critical,CA:FALSE
self usage ${isCa} 99 keyUsage=critical,digitalSignature
self limited ${isCa} 99 'nameConstraints=critical,permitted;DNS:example.org'
openssl req -config c.cnf -new -key v1.key -subj /CN=v1 -out v1.csr
openssl x509 -req -in v1.csr -signkey v1.key -days 9 -out v1.pem
openssl genrsa -out rsa.key 2048
self rsa ${isCa}
openssl genrsa -out rsa1024.key 1024
ec p384 secp384r1; ec p521 secp521r1; ec k1 secp256k1
ec bp256 brainpoolP256r1; ec bp384 brainpoolP384r1; ec bp512 brainpoolP512r1
openssl ecparam -name prime256v1 -genkey -noout -param_enc explicit -out explicit.key
openssl dsaparam -genkey -out dsa.key 2048
openssl genpkey -algorithm ed25519 -out ed25519.key
openssl genrsa -out rsa2048.key 2048
for name in rsa1024 p384 p521 k1 bp256 bp384 bp512 explicit dsa ed25519 rsa2048; do sign $name root ${both}; done
leaf good root ${both}
leaf none root subjectKeyIdentifier=hash
leaf server root extendedKeyUsage=serverAuth
leaf client root extendedKeyUsage=clientAuth
leaf mail root extendedKeyUsage=emailProtection
leaf any root extendedKeyUsage=anyExtendedKeyUsage
leaf encipher root keyUsage=critical,keyEncipherment
leaf agree root keyUsage=critical,keyAgreement
leaf unknown root 1.2.3.4=critical,DER:0500
leaf expired root ${both} '-days -1'
leaf sha1 rsa ${both} '-days 9 -sha1'
leaf md5 rsa ${both} '-days 9 -md5'
leaf ofv1 v1 ${both}
leaf ofbare bare ${both}
leaf offalse false ${both}
leaf ofusage usage ${both}
leaf oflimited limited 'subjectAltName=DNS:example.com'
sign middle root ${isCa}
leaf below middle ${both}
sign deep middle ${isCa}
leaf lowest deep ${both}
cp middle.key shallowmiddle.key; sign shallowmiddle shallow ${isCa}
leaf toodeep shallowmiddle ${both}
cp middle.key serverca.key; sign serverca root '${isCa}|extendedKeyUsage=serverAuth'
leaf ofserverca serverca ${both}
cp middle.key noca.key; sign noca root basicConstraints=critical,CA:FALSE
leaf ofnoca noca ${both}
openssl rsa -in rsa2048.key -traditional -out pkcs1.key
openssl pkcs8 -topk8 -nocrypt -in leaf.key -out pkcs8.key
openssl pkcs8 -topk8 -in leaf.key -passout pass:secret -out encrypted.key
openssl ec -in leaf.key -aes128 -passout pass:secret -out proc.key
(openssl ecparam -name prime256v1; cat leaf.key) > params.key
openssl x509 -in good.pem -text > text.pem
sed 's/$/\\r/' good.pem > crlf.pem; sed 's/$/\\r/' leaf.key > crlf.key; sed 's/$/\\r/' root.pem > crlfca.pem
(printf '\\xef\\xbb\\xbf'; cat good.pem) > bom.pem; (printf '\\xef\\xbb\\xbf'; cat leaf.key) > bom.key
iconv -t UTF-16 good.pem > utf16.pem
openssl x509 -in good.pem -outform DER -out good.der
openssl pkey -in leaf.key -outform DER -out leaf.der; chmod 600 leaf.der
openssl pkcs12 -export -in good.pem -inkey leaf.key -passout pass:secret -out good.p12
cat lowest.pem deep.pem middle.pem > chain.pem
cat middle.pem lowest.pem root.pem other.pem deep.pem > mixed.pem
cat lowest.pem deep.pem > gap.pem
cat root.pem middle.pem deep.pem > rootandmiddles.pem
cat other.pem root.pem > bundle.pem
cat toodeep.pem shallowmiddle.pem > toodeepchain.pem
cat ofserverca.pem serverca.pem > ofservercachain.pem
cat ofnoca.pem noca.pem > ofnocachain.pem
cat leaf.key good.pem > one.pem
chmod 600 *.key *.pem
`

/** All shapes, in a directory. */
export const make = Effect.gen(function* () {
  const cwd = yield* directory
  yield* run(cwd, "env", "OPENSSL_CONF=/dev/null", "bash", "-c", script)
  const future = yield* futureIn(cwd)
  const shape = (name: string, cert: string, more: Partial<Record<"key" | "ca", string>> = {}, refused?: RegExp) => ({
    name,
    files: {
      cert: join(cwd, cert),
      key: join(cwd, more.key ?? "leaf.key"),
      ca: join(cwd, more.ca ?? "root.pem")
    } satisfies TlsFiles,
    ...(refused === undefined ? {} : { refused })
  })
  const alone = (of: Shape): Shape => ({ ...of, isOfItsCaAlone: true })
  const ofOurs = (of: Shape): Shape => ({ ...of, isOurRule: true })
  const shapes: ReadonlyArray<Shape> = [
    shape("for server and client", "good.pem"),
    shape("without a purpose", "none.pem"),
    shape("for servers only", "server.pem", {}, /serverAuth only .*both server and client: .* tls issue --ca/),
    shape("for clients only", "client.pem", {}, /clientAuth only .*: sign one with extendedKeyUsage/),
    shape("for mail", "mail.pem", {}, /emailProtection only .*: sign one/),
    shape("for any purpose", "any.pem", {}, /anyExtendedKeyUsage only .*: sign one/),
    shape("keyUsage keyEncipherment", "encipher.pem", {}, /may not be used for TLS \(keyUsage keyEncipherment\): sign/),
    shape("keyUsage keyAgreement", "agree.pem"),
    shape("unknown critical extension", "unknown.pem", {}, /critical extension .*\(1\.2\.3\.4\): sign/),
    shape("expired", "expired.pem", {}, /expired on .*GMT: sign a new one/),
    shape("not yet valid", future, {}, /valid only from .*2070 GMT: check the clock/),
    shape("signed with SHA-1", "sha1.pem", { ca: "rsa.pem" }, /signed with SHA-1, .*: sign it again with SHA-256/),
    shape("signed with MD5", "md5.pem", { ca: "rsa.pem" }, /signed with MD5, .*: sign it again with SHA-256/),
    shape("RSA 2048", "rsa2048.pem", { key: "rsa2048.key" }),
    shape("RSA 1024", "rsa1024.pem", { key: "rsa1024.key" }, /too weak \(1024 bits\): create one/),
    shape("P-384", "p384.pem", { key: "p384.key" }),
    shape("P-521", "p521.pem", { key: "p521.key" }),
    shape("secp256k1", "k1.pem", { key: "k1.key" }, /curve secp256k1, which TLS does not support: create a key/),
    ...[256, 384, 512].map((bits) =>
      shape(`Brainpool ${bits}`, `bp${bits}.pem`, { key: `bp${bits}.key` }, /curve brainpoolP\d+r1, which TLS does not/)
    ),
    shape(
      "explicit parameters",
      "explicit.pem",
      { key: "explicit.key" },
      /with explicit parameters of its curve, which/
    ),
    shape("DSA", "dsa.pem", { key: "dsa.key" }, /has a DSA key, which TLS does not support: create a key/),
    shape("Ed25519", "ed25519.pem", { key: "ed25519.key" }),
    shape("CA of version 1", "ofv1.pem", { ca: "v1.pem" }),
    shape("CA without basicConstraints", "ofbare.pem", { ca: "bare.pem" }, /CN=bare.* is not a CA certificate: create/),
    shape("CA:FALSE", "offalse.pem", { ca: "false.pem" }, /CN=false.* is not a CA certificate: create/),
    shape("CA that may not sign", "ofusage.pem", { ca: "usage.pem" }, /may not sign others \(keyUsage digitalSig/),
    shape("names that the CA does not allow", "oflimited.pem", { ca: "limited.pem" }, /\(nameConstraints\): sign/),
    shape("intermediates", "chain.pem"),
    shape("intermediates, in any order, with others", "mixed.pem"),
    shape("intermediates in the file of the CA", "lowest.pem", { ca: "rootandmiddles.pem" }),
    shape("an intermediate that is missing", "gap.pem", {}, /was not signed by the CA in .*: sign it/),
    alone(shape("an intermediate as the only CA", "chain.pem", { ca: "middle.pem" }, /signed by another CA: add/)),
    shape("an intermediate that is no CA", "ofnocachain.pem", {}, /CN=noca.* is not a CA certificate: create/),
    shape(
      "an intermediate for servers only",
      "ofservercachain.pem",
      {},
      /CN=serverca.* is for serverAuth only .*: create/
    ),
    shape("too many intermediates", "toodeepchain.pem", { ca: "shallow.pem" }, /allows 0 CAs below it, .*: sign with/),
    shape("another CA in the same file", "good.pem", { ca: "bundle.pem" }),
    alone(shape("another CA", "good.pem", { ca: "other.pem" }, /was not signed by the CA in .*: sign it/)),
    shape("the CA itself", "root.pem", { key: "root.key" }),
    shape("the key of another certificate", "good.pem", { key: "p384.key" }, /does not belong to .*: use the key/),
    shape("PKCS#1", "rsa2048.pem", { key: "pkcs1.key" }),
    shape("PKCS#8", "good.pem", { key: "pkcs8.key" }),
    shape("SEC1 with parameters", "good.pem", { key: "params.key" }),
    ofOurs(shape("an encrypted key, PKCS#8", "good.pem", { key: "encrypted.key" }, /encrypted: store it without/)),
    ofOurs(shape("an encrypted key, SEC1", "good.pem", { key: "proc.key" }, /encrypted: store it without/)),
    shape("text before the certificate", "text.pem"),
    shape("lines that end with CR LF", "crlf.pem", { key: "crlf.key", ca: "crlfca.pem" }),
    shape("a byte order mark", "bom.pem", { key: "bom.key" }),
    shape("key and certificate in one file", "one.pem", { key: "one.pem" }),
    ofOurs(shape("DER", "good.der", {}, /in DER, not PEM: .*openssl x509 -inform DER -in \S+good\.der -out \S+\.pem/)),
    ofOurs(
      shape("key in DER", "good.pem", { key: "leaf.der" }, /key in DER, not PEM: .*openssl pkey -inform DER -in \S+/)
    ),
    ofOurs(
      shape("PKCS#12", "good.p12", {}, /PKCS#12, not PEM: .*openssl pkcs12 -in \S+good\.p12 -nodes -out \S+\.pem/)
    ),
    ofOurs(shape("UTF-16", "utf16.pem", {}, /UTF-16.*: save it as UTF-8/))
  ]
  return { good: shape("good", "good.pem").files, shapes }
})

/** A certificate that is not valid for a long time yet. */
const futureIn = Effect.fnUntraced(function* (cwd: string) {
  const lines = ["[ca]", "default_ca=x", "[x]", "database=index", "rand_serial=yes", "default_md=sha256"]
  const more = ["policy=p", "new_certs_dir=.", "[p]", "commonName=supplied", ""]
  yield* Effect.promise(() => writeFile(join(cwd, "ca.cnf"), [...lines, ...more].join("\n")))
  yield* Effect.promise(() => writeFile(join(cwd, "index"), ""))
  const dates = "-startdate 20700101000000Z -enddate 20800101000000Z"
  const line = `ca -batch -notext -config ca.cnf -in good.csr -cert root.pem -keyfile root.key ${dates} -out future.pem`
  yield* run(cwd, "openssl", ...line.split(" "))
  return "future.pem"
})

/** The texts of the files. */
export const contents = ({ cert, key, ca }: TlsFiles) =>
  Effect.promise(async () => ({
    cert: await readFile(cert, "utf8"),
    key: await readFile(key, "utf8"),
    ca: await readFile(ca, "utf8")
  }))
