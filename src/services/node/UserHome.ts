/**
 * The home directory of the user, which not every user has: a container may run as one that the system does not know.
 *
 * Effect's `UserDirectories` reads `HOME` alone: it does not ask the system for the user's home where `HOME` is unset,
 * and takes one that is empty or not absolute as it is.
 */
import { homedir } from "node:os"
import { isAbsolute } from "node:path"

/** The directory, if anything says where it is. */
export const userHome = (): string | undefined => {
  try {
    // `HOME` may be set to nothing. Taken as a path, that would be the current directory.
    const home = homedir()
    return isAbsolute(home) ? home : undefined
  } catch {
    return undefined
  }
}
