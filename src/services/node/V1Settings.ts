/** The one decision about existing FERAL nodes, made from the settings. */
import { Option } from "effect"
import * as V1Policy from "../../core/sync/v1/V1Policy.ts"
import type { Settings } from "./Settings.ts"

export const policyOf = (settings: Pick<Settings, "legacy" | "requireClientCert" | "tls">): V1Policy.V1Policy =>
  V1Policy.make({ ...settings, mode: Option.isSome(settings.tls) ? "ca" : "auto" })
