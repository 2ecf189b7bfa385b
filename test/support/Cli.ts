/** The command line with all commands. */
import * as CommandLine from "../../src/cli/CommandLine.ts"
import * as Commands from "../../src/cli/Commands.ts"

export const { grammar, suffices, run } = CommandLine.make(await Commands.all())
