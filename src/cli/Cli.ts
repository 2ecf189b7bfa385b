/**
 * The command line with all commands: for help, for what is misspelt, and for what is written of them.
 */
import * as CommandLine from "./CommandLine.ts"
import * as Commands from "./Commands.ts"

export const { grammar, suffices, run } = CommandLine.make(await Commands.all())
