/** The look of the vault's pages, `/page.css`. */
export const pageStyle = `:root {
  color-scheme: light dark;
  --ink: light-dark(#15181c, #eef0f2);
  --soft: light-dark(#565e67, #a3abb4);
  --paper: light-dark(#ffffff, #1b1f24);
  --ground: light-dark(#f4f5f6, #121417);
  --line: light-dark(#c9ced4, #3a424b);
  --accent: light-dark(#14181d, #eceef0);
  --on-accent: light-dark(#f4f5f6, #121417);
  --wrong: light-dark(#a3200d, #ff9d8a);
  --sans: system-ui, sans-serif;
}
* { box-sizing: border-box; }
body {
  margin: 0;
  min-height: 100dvh;
  display: grid;
  place-items: center;
  padding: 1.5rem;
  background: var(--ground);
  color: var(--ink);
  font: 1rem/1.5 var(--sans);
}
main {
  width: min(26rem, 100%);
  padding: 2rem;
  background: var(--paper);
  border: 1px solid var(--line);
  border-radius: 0.75rem;
}
.brand { display: flex; align-items: center; gap: 0.5rem; margin: 0 0 1.5rem; color: var(--soft); font-weight: 600; }
.brand svg { width: 1.5rem; height: 1.5rem; fill: none; stroke: var(--accent); stroke-width: 2; }
.brand circle { fill: #b78a2b; stroke: var(--paper); }
h1 { margin: 0 0 0.5rem; font-size: 1.375rem; line-height: 1.25; text-wrap: balance; }
.lead { margin: 0; overflow-wrap: anywhere; }
form { margin-top: 1.5rem; display: grid; gap: 0.5rem; }
label { font-weight: 600; }
input:not([type="hidden"]) {
  font: inherit;
  color: inherit;
  background: var(--ground);
  border: 1px solid var(--soft);
  border-radius: 0.5rem;
  padding: 0.625rem 0.75rem;
}
input[aria-invalid="true"] { border-color: var(--wrong); }
button {
  font: inherit;
  font-weight: 600;
  margin-top: 0.75rem;
  padding: 0.625rem 1rem;
  color: var(--on-accent);
  background: var(--accent);
  border: 1px solid transparent;
  border-radius: 0.5rem;
  cursor: pointer;
}
a.button { padding: 0.625rem 1rem; font-weight: 600; color: var(--on-accent); background: var(--accent); border-radius: 0.5rem; text-decoration: none; }
.other:has(a.button) { align-items: center; }
code { overflow-wrap: anywhere; font-size: 0.875em; }
/* Presses go to the page, which counts them, and not into a button that is held back. */
button:disabled { opacity: 0.5; pointer-events: none; }
button.quiet { margin: 0; padding: 0.375rem 0.75rem; color: var(--ink); background: none; border-color: var(--line); }
button.quiet:hover:enabled { border-color: var(--soft); }
button, .other { overflow-wrap: anywhere; }
.other { margin: 1rem 0 0; display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; }
h2 { margin: 1.5rem 0 0; font-size: 1rem; }
.aside { margin: 0.75rem 0 0; color: var(--soft); }
.apps { list-style: none; margin: 0.5rem 0 0; padding: 0; border-top: 1px solid var(--line); }
.apps li { display: flex; align-items: center; justify-content: space-between; gap: 1rem; padding: 0.625rem 0; border-bottom: 1px solid var(--line); }
.apps li > a { overflow-wrap: anywhere; min-width: 0; }
.apps form { margin: 0; flex: none; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
a { color: inherit; text-underline-offset: 0.2em; }
:is(input, button, a):focus-visible { outline: 2px solid light-dark(#8a6312, #dcb560); outline-offset: 2px; }
.hint, .mistake { margin: 0; font-size: 0.875rem; color: var(--soft); }
.mistake { color: var(--wrong); font-weight: 600; }
`;
