/**
 * Discovery of what is known already: a fixed list, nothing, or what a test says.
 */
import { Effect, Stream } from "effect"
import type { Address } from "../../core/peers/Address.ts"
import type { Announcement, Discovery, Sighting } from "./Discovery.ts"

/** Shows the addresses of a list, and nothing more. */
export const list = (addresses: ReadonlyArray<Address>): Discovery["Service"] => ({
  mdns: false,
  reconfirm: () => Effect.void,
  sightings: () =>
    Effect.succeed(
      Stream.concat(
        Stream.fromIterable(addresses.map((address): Sighting => ({ _tag: "Listed", address }))),
        Stream.never
      )
    )
})

/** Shows what `sightings` says, and tells `announced` who asks. */
export const scripted = (
  sightings: Stream.Stream<Sighting>,
  announced: (announcement: Announcement) => Effect.Effect<void>
): Discovery["Service"] => ({
  mdns: true,
  reconfirm: () => Effect.void,
  sightings: (announcement) => Effect.as(announced(announcement), sightings)
})
