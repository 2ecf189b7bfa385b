import { seeds } from "./Seeds.ts"

seeds(1, 125)
