/** The page's HTML: a form for each group of faults, with a button for each fault, and no script. */
import { COLOURS, documentOf, escaped } from "../pages/index.ts";
import { FAULT_GROUPS, type FaultChosen, type FaultGroup } from "./fault-groups.ts";

export function faultsPage(on: FaultChosen | null): string {
  const groups = Object.entries(FAULT_GROUPS).map(([id, group]) => groupOf(id, group, on));
  return html(
    "Faults",
    `<h1>Faults of enrolments</h1>
    <p>The next enrolments of this deployment have the fault that is on here, until you turn it off. Outside each is refused with a code that says nothing of the reason
    (<code>attestation-refused</code>, <code>verifier-unavailable</code>, <code>invalid-grant</code>); the reason is in the audit log, under <code>ra:certify</code> or <code>ra:redeem</code>: <code>coffer audit list</code>.
    No certificate is issued.</p>
    ${statusOf(on)}
    <nav aria-label="Groups"><ul>${Object.entries(FAULT_GROUPS)
      .map(([id, { title }]) => `<li><a href="#${id}">${escaped(title)}</a></li>`)
      .join("")}</ul></nav>
    ${groups.join("\n")}`,
  );
}

function statusOf(on: FaultChosen | null): string {
  if (on === null)
    return `<div class="status" role="status"><p>No fault is on: enrolments are as they should be.</p></div>`;
  const { group, name } = on;
  return `<div class="status on" role="status">
      <p><strong>On: <code>${escaped(name)}</code></strong> (${escaped(FAULT_GROUPS[group].title)})</p>
      <form method="post" action="/"><button name="fault" value="">Turn it off</button></form>
    </div>`;
}

function groupOf(id: string, { title, about, faults }: FaultGroup, on: FaultChosen | null): string {
  const rows = Object.entries(faults).map(([name, { says, refused }]) => {
    const isOn = on?.group === id && on.name === name;
    const reasons = (typeof refused === "string" ? [refused] : refused).map(
      (one) => `<code>${escaped(one)}</code>`,
    );
    return `<li id="${id}-${name}"${isOn ? ' class="on"' : ""}>
        <button name="fault" value="${isOn ? "" : `${id}/${name}`}" aria-pressed="${isOn}" aria-describedby="${id}-${name}-says">${name}</button>
        <p id="${id}-${name}-says">${escaped(says)} <span class="reason">In the audit log: ${reasons.join(" or ")}</span></p>
      </li>`;
  });
  return `<section aria-labelledby="${id}">
      <h2 id="${id}">${escaped(title)}</h2>
      <p class="soft">${escaped(about)}</p>
      <form method="post" action="/"><ul class="faults">${rows.join("\n")}</ul></form>
    </section>`;
}

export function sentencePage(title: string, sentence: string): string {
  return html(title, `<h1>${escaped(title)}</h1><p>${escaped(sentence)}</p>`);
}

function html(title: string, content: string): string {
  const brand = "EMULATED enclave, for development on this machine alone";
  return documentOf({ title, brand, name: "EMULATED enclave" }, content);
}

export const style = `${COLOURS}body { margin: 0; padding: 1rem; background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 56rem; margin: 0 auto; padding: clamp(1rem, 4vw, 2rem); background: var(--paper); border: 1px dashed var(--soft); border-radius: 0.75rem; }
.brand { margin: 0 0 1.5rem; color: var(--soft); font-weight: 600; }
h1 { margin: 0 0 0.5rem; font-size: 1.375rem; line-height: 1.25; }
h2 { margin: 2rem 0 0.25rem; font-size: 1.125rem; scroll-margin-top: 6rem; }
p { margin: 0 0 0.75rem; overflow-wrap: anywhere; }
code { font: 0.9375em ui-monospace, monospace; overflow-wrap: anywhere; }
.soft, .reason { color: var(--soft); }
.reason { display: block; font-size: 0.875rem; }
.status { position: sticky; top: 0; z-index: 1; display: flex; flex-wrap: wrap; gap: 0.5rem 1rem; align-items: center; justify-content: space-between; padding: 0.75rem 1rem; background: var(--ground); border: 1px solid var(--line); border-radius: 0.5rem; }
.status p { margin: 0; }
.status.on { border-color: var(--wrong); border-width: 2px; }
nav ul { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; padding: 0; margin: 1rem 0 0; list-style: none; }
nav a { display: inline-block; padding: 0.25rem 0; color: inherit; text-underline-offset: 0.2em; }
.faults { list-style: none; margin: 0; padding: 0; }
.faults li { display: grid; grid-template-columns: minmax(0, 17rem) minmax(0, 1fr); gap: 0.25rem 1rem; align-items: start; padding: 0.625rem 0; border-top: 1px solid var(--line); scroll-margin-top: 6rem; }
.faults p { margin: 0; }
button { font: 600 1rem/1.5 system-ui, sans-serif; padding: 0.25rem 0.75rem; color: inherit; background: var(--ground); border: 1px solid var(--soft); border-radius: 0.5rem; cursor: pointer; overflow-wrap: anywhere; text-align: start; }
.faults button { justify-self: start; }
button[aria-pressed="true"], .status button { color: var(--on-accent); background: var(--accent); border-color: transparent; }
button[aria-pressed="true"]::before { content: "On: "; }
:is(button, a):focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
@media (max-width: 40rem) { .faults li { grid-template-columns: minmax(0, 1fr); } }
`;
