import { seeds } from "./Seeds.ts"

seeds(126, 125)
