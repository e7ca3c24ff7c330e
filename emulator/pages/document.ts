/** `brand` stands at the end of the title too, unless `name` does. */
export function documentOf(
  { title, brand, name = brand }: { title: string; brand: string; name?: string },
  content: string,
): string {
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>${escaped(title)} · ${name}</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="/style.css">
</head>
<body>
  <main>
    <p class="brand">${brand}</p>
    ${content}
  </main>
</body>
</html>
`;
}

export function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

/** The beginning of a page's stylesheet. */
export const COLOURS = `:root {
  color-scheme: light dark;
  --ink: light-dark(#15181c, #eef0f2);
  --soft: light-dark(#565e67, #a3abb4);
  --paper: light-dark(#ffffff, #1b1f24);
  --ground: light-dark(#e9edf2, #0e1217);
  --line: light-dark(#c9ced4, #3a424b);
  --accent: light-dark(#1d4d7a, #a9cdf0);
  --on-accent: light-dark(#ffffff, #0e1217);
  --wrong: light-dark(#a3200d, #ff9d8a);
}
* { box-sizing: border-box; }
`;
