import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { parseAst } from "vitest/node";
import { root } from "./tree.ts";

/** One file names another: `from` is a path from the root for what is of the tree, and null where it is computed. */
export type Import = {
  readonly from: string | null;
  /** Nothing of it is left when types are stripped. */
  readonly types: boolean;
};

type Syntax = { readonly [property: string]: unknown };

export function importsOf(file: string): Import[] {
  return importsIn(file, readFileSync(`${root}${file}`, "utf8"));
}

/** Imports in whatever spelling: static, dynamic, re-exported, `require`, the type `import("…")`. */
export function importsIn(file: string, text: string): Import[] {
  const found: Import[] = [];
  const visit = (syntax: unknown): void => {
    if (typeof syntax !== "object" || syntax === null) return;
    if (!Array.isArray(syntax)) {
      const source = sourceOf(syntax as Syntax);
      if (source) found.push({ from: resolve(file, source), types: isType(syntax as Syntax) });
    }
    for (const part of Object.values(syntax)) visit(part);
  };
  visit(parseAst(text, { lang: file.endsWith(".js") ? "js" : "ts" }, file));
  return found;
}

/** What an import imports: a literal or an expression; undefined for what is no import. */
function sourceOf({ type, source, expression, callee, arguments: values }: Syntax): Syntax | undefined {
  if (type === "TSExternalModuleReference") return expression as Syntax;
  if (type === "CallExpression" && loads(callee as Syntax)) return (values as Syntax[])[0] ?? {};
  return /^(Import|Export|TSImport)/.test(String(type))
    ? ((source as Syntax | null) ?? undefined)
    : undefined;
}

/** `require(…)`, `createRequire(…)(…)` */
function loads({ name, type, callee }: Syntax): boolean {
  return name === "require" || (type === "CallExpression" && (callee as Syntax).name === "createRequire");
}

function isType({ type, importKind, exportKind }: Syntax): boolean {
  return type === "TSImportType" || importKind === "type" || exportKind === "type";
}

function resolve(file: string, source: Syntax): string | null {
  const quasis = source.quasis as [{ value: { cooked: string } }] | undefined;
  const specifier = quasis?.length === 1 ? quasis[0].value.cooked : source.value;
  if (typeof specifier !== "string") return null;
  if (specifier.startsWith("#")) return posix.normalize(specifier.slice(1));
  return specifier.startsWith(".") ? posix.join(posix.dirname(file), specifier) : specifier;
}
