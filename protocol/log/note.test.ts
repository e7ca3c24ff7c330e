import { expect, it } from "vitest";
import {
  emptyFrontier,
  type NoteSigner,
  noteKeyText,
  parseNoteKey,
  rootOf,
  signCheckpoint,
  verifyCheckpoint,
} from "./index.ts";

async function signer(name = "example.test/log"): Promise<NoteSigner> {
  const { publicKey, privateKey } = (await crypto.subtle.generateKey("Ed25519", true, [
    "sign",
    "verify",
  ])) as CryptoKeyPair;
  const key = new Uint8Array(await crypto.subtle.exportKey("raw", publicKey));
  const sign = async (bytes: Uint8Array<ArrayBuffer>) =>
    new Uint8Array(await crypto.subtle.sign("Ed25519", privateKey, bytes));
  return { name, key, sign };
}
const tree = { size: 7, root: new Uint8Array(32).fill(9) };

it("reads keys of logs as others write them", async () => {
  // Of Go's checksum database, and of the example in its package of notes.
  for (const text of [
    "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
  ]) {
    const key = await parseNoteKey(text);
    expect(await noteKeyText(key)).toBe(text);
    expect(key.key).toHaveLength(32);
  }
  for (const wrong of [
    "",
    "a+00000000+AQ==",
    "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
  ])
    await expect(parseNoteKey(wrong)).rejects.toThrow(TypeError);
});

it("signs a checkpoint that its key verifies, with signatures of others beside it", async () => {
  const [log, witness] = [await signer(), await signer("witness.test")];
  const note = await signCheckpoint(tree, log);
  expect(await verifyCheckpoint(note, log)).toEqual({ ...tree, time: null });
  const other = (await signCheckpoint(tree, witness)).split("\n\n")[1]!;
  expect(await verifyCheckpoint(note + other, log)).toEqual({ ...tree, time: null });
  expect(await verifyCheckpoint(note.replace("\n\n", `\n\n${other}`), log)).toEqual({ ...tree, time: null });
  const empty = { size: 0, root: await rootOf(emptyFrontier) };
  expect(await verifyCheckpoint(await signCheckpoint(empty, log), log)).toEqual({ ...empty, time: null });
});

it("refuses one that is changed in any byte, of another key, log or name, unsigned, or too long", async () => {
  const log = await signer();
  const note = await signCheckpoint(tree, log);
  for (let at = 0; at < note.length; at++) {
    const changed = `${note.slice(0, at)}${note[at] === "A" ? "B" : "A"}${note.slice(at + 1)}`;
    await expect(verifyCheckpoint(changed, log), changed).rejects.toThrow(TypeError);
  }
  // The last character before the end of a signature has two bits that are nobody's.
  const [, last = ""] = /(.)=\n$/.exec(note) ?? [];
  const spare = String.fromCharCode(last.charCodeAt(0) + 1);
  await expect(verifyCheckpoint(note.replace(/.=\n$/, `${spare}=\n`), log)).rejects.toThrow(TypeError);
  const same = await signer();
  const renamed = { ...log, name: "example.test/other" };
  for (const wrong of [
    await signCheckpoint(tree, same),
    await signCheckpoint(tree, renamed),
    note.split("\n\n")[0]!,
    `${note}${"\u2014 a AAAA\n".repeat(1000)}`,
    "",
  ])
    await expect(verifyCheckpoint(wrong, log)).rejects.toThrow(TypeError);
});

it("M21 a checkpoint says when it was signed, by the log's key alone, and who knows no times reads it too", async () => {
  const [log, other] = [await signer(), await signer()];
  const note = await signCheckpoint(tree, log, 1_800_000_000);
  expect(await verifyCheckpoint(note, log)).toEqual({ ...tree, time: 1_800_000_000 });
  expect(await verifyCheckpoint(await signCheckpoint(tree, log), log)).toEqual({ ...tree, time: null });
  // The line of the time alone is no signature of the checkpoint, and another's says nothing of this log.
  const [body = "", lines = ""] = note.split("\n\n");
  const [plain = "", timed = ""] = lines.split("\n");
  await expect(verifyCheckpoint(`${body}\n\n${timed}\n`, log)).rejects.toThrow("not signed");
  expect(await verifyCheckpoint(`${body}\n\n${plain}\n`, log)).toMatchObject({ time: null });
  const [, foreign = ""] = (await signCheckpoint(tree, other, 1_900_000_000)).split("\n\n");
  expect(await verifyCheckpoint(`${note}${foreign}`, log)).toMatchObject({ time: 1_800_000_000 });
  // A later time in it, or the line of another tree.
  const later = Buffer.from(timed.split(" ")[2]!, "base64");
  later[11]! ^= 0xff;
  const moved = `${body}\n\n${plain}\n\u2014 ${log.name} ${later.toString("base64")}\n`;
  expect(await verifyCheckpoint(moved, log)).toMatchObject({ time: null });
  const [, ofOther = ""] = (await signCheckpoint({ ...tree, size: 8 }, log, 1_900_000_000)).split("\n\n");
  const mixed = `${body}\n\n${plain}\n${ofOther.split("\n")[1]}\n`;
  expect(await verifyCheckpoint(mixed, log)).toMatchObject({ time: null });
});
