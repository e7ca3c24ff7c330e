import { expect, it } from "vitest";
import type { Document } from "#web/browser/index.ts";
import { sealFormData } from "./form.ts";

/** Of the kit, what a form takes of it: what is sealed stands in `stored`. */
function kit({ refuses }: { refuses?: string } = {}) {
  const stored = new Map<string, string>();
  return {
    stored,
    async seal(source: unknown): Promise<Document> {
      const file = source as File;
      if (file.name === refuses) throw new Error("refused");
      const id = `id-of-${file.name}`;
      stored.set(id, await file.text());
      return { id, account: "mine", created: new Date(0), sealedSize: 1 } as Document;
    },
    async remove(id: string) {
      stored.delete(id);
    },
  };
}

function form(): FormData {
  const data = new FormData();
  data.append("title", "Claim");
  data.append("proof", new File(["one"], "one.txt"));
  data.append("none", new File([], ""));
  data.append("proof", new File(["two"], "two.txt"));
  return data;
}

it("has ids in the place of files, in their order, and nothing of a field without one", async () => {
  const coffer = kit();
  const { data, documents } = await sealFormData(coffer, form());
  expect([...data]).toEqual([
    ["title", "Claim"],
    ["proof", "id-of-one.txt"],
    ["proof", "id-of-two.txt"],
  ]);
  expect(documents.map(({ id }) => id)).toEqual([...coffer.stored.keys()]);
  expect([...coffer.stored.values()]).toEqual(["one", "two"]);
});

it("leaves nothing of a form of which one file cannot be sealed", async () => {
  const coffer = kit({ refuses: "two.txt" });
  await expect(sealFormData(coffer, form())).rejects.toThrow("refused");
  expect(coffer.stored.size).toBe(0);
});

it("is imported where there is no DOM, and defines nothing there", async () => {
  const { defineCofferVault } = await import("./index.ts");
  expect(globalThis).not.toHaveProperty("customElements");
  expect(defineCofferVault()).toBeUndefined();
});
