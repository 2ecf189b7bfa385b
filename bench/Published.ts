/** Nodes of the package as it is published, instead of the source. */
import { execFileSync } from "node:child_process"

/** Goes before the command of a node. Builds the package. */
export const published = (): ReadonlyArray<string> => {
  const root = new URL("../", import.meta.url).pathname
  execFileSync("npm", ["run", "--silent", "build"], { cwd: root, stdio: "inherit" })
  return ["sh", "-c", `node=$1; shift 2; exec "$node" "${root}dist/main.js" "$@"`, "sh"]
}
