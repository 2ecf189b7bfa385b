import { seeds } from "./Seeds.ts"

seeds(251, 125)
