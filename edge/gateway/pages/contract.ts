/** The REST interface for people (M16), `/openapi.html`: what `/openapi.json` says, as one document without a script. */

import { openApiDocument, problems } from "#protocol/contract/index.ts";
import { escaped } from "./html.ts";

/** The look of it, which its policy names by hash. */
export const contractStyle =
  "body{max-width:60rem;margin:2rem auto;padding:0 1rem;font:1rem/1.5 system-ui,sans-serif}:root{color-scheme:light dark}section{border-top:1px solid;margin-top:2rem}code,pre,th{overflow-wrap:anywhere}pre{white-space:pre-wrap;font-size:.85rem}table{border-collapse:collapse}td,th{text-align:start;vertical-align:top;padding:.15rem 1rem .15rem 0}";

type Member = { name: string; in: string; required: boolean; schema: object };
type Response = { description: string; content?: Record<string, object> };
type Operation = {
  operationId: string;
  summary: string;
  security: Record<string, string[]>[] | undefined;
  servers?: { url: string }[];
  parameters: Member[];
  requestBody?: { content: Record<string, object> };
  responses: Record<string, Response>;
};

/** Of all routes, in the order of the contract, and of all codes of problems. */
export function contractPage(of: { app: string; vault: string }): string {
  const { info, paths, components } = openApiDocument(of);
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods as Record<string, Operation>).map(([method, operation]) => ({
      path,
      method: method.toUpperCase(),
      operation,
    })),
  );
  const index = operations.map(
    ({ path, method, operation: { operationId, summary } }) =>
      `<li><a href="#${escaped(operationId)}"><code>${method} ${escaped(path)}</code></a> ${escaped(summary)}</li>`,
  );
  const sections = operations.map(({ path, method, operation }) =>
    sectionOf(path, method, operation, of.app),
  );
  const codes = Object.entries(problems).map(
    ([code, { status, title }]) =>
      `<tr id="problem-${escaped(code)}"><td><code>${escaped(code)}</code></td><td>${status}</td><td>${escaped(title)}</td></tr>`,
  );
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) => `<h3 id="schema-${escaped(name)}">${escaped(name)}</h3>${pre(schema)}`,
  );
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(info.title)}: REST interface</title><style>${contractStyle}</style></head>
<body>
<h1>${escaped(info.title)}: REST interface</h1>
<p>${escaped(info.summary)}. Version ${escaped(info.version)}, for programs: <a href="/openapi.json">openapi.json</a>.</p>
<nav aria-label="Routes"><ul>${index.join("\n")}</ul></nav>
<main>
${sections.join("\n")}
<section><h2>Problems</h2><table><thead><tr><th>code</th><th>status</th><th>title</th></tr></thead><tbody>${codes.join("\n")}</tbody></table></section>
<section><h2>Who may ask</h2>${pre(components.securitySchemes)}</section>
<section><h2>Schemas</h2>${schemas.join("\n")}</section>
</main>
</body>
</html>
`;
}

function sectionOf(path: string, method: string, operation: Operation, app: string): string {
  const { operationId, summary, security = [], servers, parameters, requestBody, responses } = operation;
  const schemes = security.map((one) => Object.keys(one).join(" and ") || "nothing").join(", or ");
  const named = parameters.map(
    ({ name, in: place, required, schema }) =>
      `<tr><td><code>${escaped(name)}</code></td><td>${place}${required ? ", required" : ""}</td><td><code>${escaped(JSON.stringify(schema))}</code></td></tr>`,
  );
  const answers = Object.entries(responses).map(
    ([status, { description, content }]) =>
      `<tr><td>${status}</td><td>${escaped(description)}</td><td>${contentOf(content)}</td></tr>`,
  );
  return `<section id="${escaped(operationId)}">
<h2><code>${method} ${escaped(path)}</code></h2>
<p>${escaped(summary)}. At <code>${escaped(servers?.[0]?.url ?? app)}</code>; asks for: ${escaped(schemes || "nothing")}.</p>
${named.length === 0 ? "" : `<table><caption>Parameters</caption>${named.join("")}</table>`}
${requestBody === undefined ? "" : `<p>Request: ${contentOf(requestBody.content)}</p>`}
<table><caption>Answers</caption>${answers.join("")}</table>
</section>`;
}

/** Media types, each with its schema; of a problem its codes. */
function contentOf(content: Record<string, object> = {}): string {
  return Object.entries(content)
    .map(([type, of]) => `<code>${escaped(type)}</code>${schemaOf("schema" in of ? of.schema : undefined)}`)
    .join("<br>");
}

function schemaOf(schema: unknown): string {
  if (typeof schema !== "object" || schema === null) return "";
  if ("$ref" in schema) {
    const name = escaped(String(schema.$ref).split("/").at(-1) ?? "");
    return ` <a href="#schema-${name}">${name}</a>`;
  }
  const words = [...JSON.stringify(schema).matchAll(/"([a-z][a-z0-9-]*)"/g)].map(([, word = ""]) => word);
  const links = words
    .filter((word) => Object.hasOwn(problems, word))
    .map((code) => `<a href="#problem-${escaped(code)}">${escaped(code)}</a>`);
  return ` ${links.join(", ") || `<code>${escaped(JSON.stringify(schema))}</code>`}`;
}

function pre(value: unknown): string {
  return `<pre>${escaped(JSON.stringify(value, null, 2))}</pre>`;
}
