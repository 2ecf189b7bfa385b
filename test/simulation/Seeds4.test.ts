import { seeds } from "./Seeds.ts"

seeds(376, 125)
