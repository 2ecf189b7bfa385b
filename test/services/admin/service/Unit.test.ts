/** The files for service managers: what systemd itself says of them, and what may never be in them. */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Unit from "../../../../src/services/admin/service/Unit.ts"
import { needs } from "../../../support/Needs.ts"

const service: Unit.Service = { program: [process.execPath, "/bin/true"], home: undefined, passphraseFile: undefined }
const odd: Unit.Service = {
  program: [process.execPath, "/bin/true"],
  home: '/var/lib/a "b" 100% $HOME',
  passphraseFile: "/etc/hostname"
}

describe("the unit of systemd", () => {
  describe.skipIf(needs("systemd-analyze"))("by systemd-analyze", () => {
    for (const scope of ["user", "system"] as const) {
      it(`is right for ${scope}`, () => {
        for (const given of [service, odd]) {
          const directory = mkdtempSync(join(tmpdir(), "feral-sync-"))
          try {
            const file = join(directory, Unit.unitName)
            writeFileSync(file, Unit.systemd(given, scope))
            const { status, stdout, stderr } = spawnSync(
              "systemd-analyze",
              ["verify", "--man=no", "--recursive-errors=no", file],
              {
                encoding: "utf8"
              }
            )
            const about = `${stdout}${stderr}`.split("\n").filter((line) => line.includes(Unit.unitName))
            assert.deepStrictEqual([status, about], [0, []])
          } finally {
            rmSync(directory, { recursive: true })
          }
        }
      })
    }
  })

  it("lets the compiler of Node write code, and says why", () => {
    for (const scope of ["user", "system"] as const) {
      const text = Unit.systemd(service, scope)
      assert.notMatch(text, /^MemoryDenyWriteExecute=/m)
      assert.include(text, "# MemoryDenyWriteExecute is left out")
    }
  })

  it("quotes what systemd would read in another way", () => {
    assert.include(
      Unit.systemd(odd, "user"),
      '--home "/var/lib/a \\"b\\" 100%% $$HOME" --passphrase-file %d/passphrase'
    )
  })

  it("has a user and a directory of its own for the machine", () => {
    const text = Unit.systemd(service, "system")
    for (const line of ["DynamicUser=yes", "StateDirectoryMode=0700", "ProtectSystem=strict"])
      assert.include(text, line)
  })
})

describe("the property list of launchd", () => {
  it("escapes what XML would read in another way", () => {
    const text = Unit.launchd({ ...service, home: "/a&b<c>" }, "/tmp/log")
    assert.include(text, "<string>/a&amp;b&lt;c&gt;</string>")
  })
})
