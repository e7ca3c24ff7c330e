/** @returns {{ command: string, args: string[] }} the npm that runs this script, or the one on PATH */
export function npm() {
  const path = process.env.npm_execpath;
  return path ? { command: process.execPath, args: [path] } : { command: "npm", args: [] };
}
