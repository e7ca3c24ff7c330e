/** PDF files written by hand (ISO 32000-1 §7.5): what is in them is what a test says. */

/** Objects by number, from 1, as they stand between `obj` and `endobj`; the first is the catalogue. */
export function pdfOf(objects: readonly string[]): Buffer {
  let text = "%PDF-1.7\n";
  const offsets = objects.map((object, index) => {
    const at = text.length;
    text += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return at;
  });
  const xref = text.length;
  const rows = offsets.map((at) => `${String(at).padStart(10, "0")} 00000 n \n`).join("");
  text += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${rows}`;
  text += `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${xref}\n%%EOF\n`;
  return Buffer.from(text, "latin1");
}

export type MadePage = { text: string; size?: [number, number]; annotations?: string };

/** Pages with a black square in the lower left quarter and a line of text. `catalogue`: what stands in it besides the pages; `lost`: pages after them that are named and not there. */
export function pdfWith(pages: readonly MadePage[], catalogue = "", lost = 0): Buffer {
  const first = 4;
  const kids = Array.from({ length: pages.length + lost }, (_, n) => `${first + 2 * n} 0 R`).join(" ");
  return pdfOf([
    `<< /Type /Catalog /Pages 2 0 R ${catalogue} >>`,
    `<< /Type /Pages /Kids [${kids}] /Count ${pages.length + lost} >>`,
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ...pages.flatMap(({ text, size: [width, height] = [400, 300], annotations = "" }, n) => {
      const content = `0 0 0 rg 0 0 ${width / 2} ${height / 2} re f BT /F1 24 Tf 20 ${height - 40} Td (${text}) Tj ET`;
      return [
        `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 ${width} ${height}] /Contents ${first + 2 * n + 1} 0 R
           /Resources << /Font << /F1 3 0 R >> >> /Annots [${annotations}] >>`,
        `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
      ];
    }),
  ]);
}
