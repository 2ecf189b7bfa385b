/**
 * Arguments and flags that several commands share, with what makes them valid.
 */
import { Option } from "effect"
import { Argument, Flag } from "effect/cli"

/** A text that may not be empty: an empty one is an unset variable of the shell, most likely. */
export const text = (name: string, description: string) =>
  Argument.String(name).pipe(
    Argument.filter(
      (value) => value !== "",
      () => "non-empty text"
    ),
    Argument.withDescription(description)
  )

export const textFlag = (name: string, metavar: string, description: string) =>
  Flag.String(name).pipe(
    Flag.filter(
      (value) => value !== "",
      () => "non-empty text"
    ),
    Flag.withMetavar(metavar),
    Flag.withDescription(description)
  )

/** The default of a column, for a description: `(default: normal)`. */
export const byDefault = ({ byDefault }: { readonly byDefault: unknown }): string =>
  `(default: ${typeof byDefault === "string" ? byDefault : JSON.stringify(byDefault)})`

/** A flag that may be left out. */
export const maybe = <A>(flag: Flag.Flag<A>): Flag.Flag<A | undefined> =>
  flag.pipe(Flag.optional, Flag.map(Option.getOrUndefined))

/**
 * A flag that may be given any number of times: the parser itself takes one that is repeated for required, in what it
 * says.
 */
export const several = <A>(flag: Flag.Flag<A>): Flag.Flag<ReadonlyArray<A>> =>
  flag.pipe(Flag.atLeast(0), Flag.optional, Flag.map(Option.getOrElse((): ReadonlyArray<A> => [])))

export const id = Argument.String("id").pipe(Argument.withDescription("The id of the row, as shown by list"))

/**
 * A number that a predicate accepts. `expected` says which ones, after a wrong one; the description stands in the help.
 */
export const number = (
  name: string,
  metavar: string,
  description: string,
  isValid: (value: number) => boolean,
  expected: string
) =>
  Flag.String(name).pipe(
    Flag.filter(
      (text) => /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(text) && isValid(Number(text)),
      () => expected
    ),
    Flag.map(Number),
    Flag.withMetavar(metavar),
    Flag.withDescription(description)
  )
