/** JSON from outside. `JSON.parse` takes any depth, and whatever walks the value afterwards runs out of stack. */

/** Objects and arrays in each other. The deepest document of ours has five. */
const MAX_DEPTH = 32;

/** Parses JSON of at most `maxDepth` levels. Throws `SyntaxError` for what is deeper, as for what is no JSON. */
export function parseJson(text: string, maxDepth = MAX_DEPTH): unknown {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i);
    if (inString) {
      if (character === BACKSLASH) i++;
      else if (character === QUOTE) inString = false;
    } else if (character === QUOTE) inString = true;
    else if (character === OPEN_ARRAY || character === OPEN_OBJECT) {
      if (++depth > maxDepth) throw new SyntaxError("JSON is nested too deep");
    } else if (character === CLOSE_ARRAY || character === CLOSE_OBJECT) depth--;
  }
  return JSON.parse(text);
}

const [QUOTE, BACKSLASH] = [0x22, 0x5c];
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];
