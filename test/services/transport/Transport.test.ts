/** One contract for every transport: that of the test kit. */
import { Effect } from "effect"
import { MemoryNetwork } from "../../../src/services/transport/MemoryNetwork.ts"
import { transportContract } from "../../../src/testing/contracts/TransportContract.ts"
import { memoryWorld, webSocketWorld } from "../../support/Transports.ts"

transportContract("WebSocketTransport.layer", webSocketWorld)
transportContract("MemoryTransport.layer", Effect.provide(memoryWorld, MemoryNetwork.layer))
