import { expect, it } from "vitest";
import { type FileHandle, fileOf, handleOf } from "./handles.ts";

const file = new File(["x"], "x.txt");
const handle = (more: object = {}) => ({ kind: "file", getFile: async () => file, ...more }) as FileHandle;
const item = (getAsFileSystemHandle?: () => Promise<unknown>) =>
  ({ ...(getAsFileSystemHandle && { getAsFileSystemHandle }) }) as unknown as DataTransferItem;

it("has a handle of a file alone, where the browser gives one", async () => {
  const given = handle();
  expect(await handleOf(item(async () => given))).toBe(given);
  expect(await handleOf(item(async () => handle({ kind: "directory" })))).toBeUndefined();
  expect(await handleOf(item(async () => null))).toBeUndefined();
  expect(await handleOf(item(() => Promise.reject(new DOMException("", "SecurityError"))))).toBeUndefined();
  expect(await handleOf(item())).toBeUndefined();
});

it("has its file where the person allows it and it is there", async () => {
  expect(await fileOf(handle())).toBe(file);
  const asked: unknown[] = [];
  const answers = (answer: string) => ({
    requestPermission: async (options: unknown) => {
      asked.push(options);
      return answer;
    },
  });
  expect(await fileOf(handle(answers("granted")))).toBe(file);
  expect(await fileOf(handle(answers("denied")))).toBeUndefined();
  expect(asked).toEqual([{ mode: "read" }, { mode: "read" }]);
  const gone = () => Promise.reject(new DOMException("", "NotFoundError"));
  expect(await fileOf(handle({ getFile: gone }))).toBeUndefined();
});
