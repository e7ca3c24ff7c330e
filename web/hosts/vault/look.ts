import { languageOf } from "./words.ts";

/**
 * How the vault's own buttons look, in the colours of the page around them, light and dark. A stylesheet that script makes: no policy has to allow
 * it, and no file more is served.
 */
const LOOK = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; color: light-dark(#14181d, #eceef0);
  background: light-dark(#ffffff, #22262b); }
body { margin: 0; padding: 0.75rem; }
p { margin: 0; }
p[role="status"] { margin-top: 0.5rem; color: light-dark(#59616b, #9aa3ad); }
p + button { margin-top: 0.5rem; }
button { font: inherit; font-weight: 550; min-height: 2.5rem; padding: 0 1rem; border-radius: 8px; cursor: pointer;
  color: inherit; background: light-dark(#ffffff, #22262b); border: 1px solid light-dark(#8a929c, #6b747e); }
button:not(:disabled):hover { border-color: light-dark(#8a6312, #dcb560); }
button:focus-visible { outline: 2px solid light-dark(#8a6312, #dcb560); outline-offset: 2px; }
button:disabled { color: light-dark(#59616b, #9aa3ad); cursor: default; }
`;

export function dress(): void {
  document.documentElement.lang = languageOf();
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(LOOK);
  document.adoptedStyleSheets = [sheet];
}
