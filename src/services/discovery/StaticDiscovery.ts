/**
 * Discovery without a network: a fixed list, nothing, or the sightings of a test.
 */
import { Effect, Layer, Stream } from "effect"
import type { Address } from "../../core/peers/Address.ts"
import { type Announcement, Discovery, type Sighting } from "./Discovery.ts"

/** A fixed list of addresses. */
export const layer = (addresses: ReadonlyArray<Address>): Layer.Layer<Discovery> =>
  Layer.sync(Discovery, () => list(addresses))

/** Finds no peers: only nodes that dial this one are met. */
export const layerNone: Layer.Layer<Discovery> = layer([])

/** Shows the sightings of a test, and passes on the announcements. */
export const layerTest = (
  sightings: Stream.Stream<Sighting>,
  announced: (announcement: Announcement) => Effect.Effect<void> = () => Effect.void
): Layer.Layer<Discovery> =>
  Layer.sync(Discovery, () => ({
    mdns: true,
    reconfirm: () => Effect.void,
    sightings: (announcement) => Effect.as(announced(announcement), sightings)
  }))

const list = (addresses: ReadonlyArray<Address>): Discovery["Service"] => ({
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
