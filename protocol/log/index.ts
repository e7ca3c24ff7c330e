/**
 * An append-only log: Merkle trees as in RFC 6962 §2.1 (RFC 9162 §2.1), their proofs, and the layout of their tiles
 * (c2sp.org/tlog-tiles), and checkpoints as signed notes. It knows nothing of what is logged. May import: protocol/*.ts. Imported by
 * protocol/audit, edge/audit and cli.
 */

export { emptyFrontier, type Frontier, grow, type Node, rootOf } from "./frontier.ts";
export { EMPTY_ROOT, leafHash, nodeHash } from "./hash.ts";
export {
  type LogCheckpoint,
  type NoteKey,
  type NoteSigner,
  noteKeyText,
  parseNoteKey,
  signCheckpoint,
  type TimedCheckpoint,
  verifyCheckpoint,
} from "./note.ts";
export {
  consistencyProof,
  inclusionProof,
  type NodeReader,
  verifyConsistency,
  verifyInclusion,
} from "./proof.ts";
export {
  decodeBundle,
  encodeBundle,
  isTileNode,
  nodesOfTiles,
  parseTilePath,
  TILE_HEIGHT,
  TILE_WIDTH,
  type Tile,
  tilePath,
} from "./tile.ts";
