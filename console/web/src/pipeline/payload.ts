// What a dead letter holds, as somebody may look at it: whoever sent it chose every byte.

/**
 * JSON with its parts on lines of their own; `undefined` for what is no JSON.
 *
 * Only whitespace outside strings changes: numbers too long for JavaScript and keys that are there twice stay, since either may be why it is a dead
 * letter.
 */
export function indented(text: string): string | undefined {
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  const out: string[] = [];
  let depth = 0;
  const line = () => `\n${"  ".repeat(Math.min(depth, 64))}`;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{[]\s*[}\]]|[{}[\],:]|[^\s{}[\],:"]+/gs)) {
    if (token === "{" || token === "[") {
      depth += 1;
      out.push(token, line());
    } else if (token === "}" || token === "]") {
      depth -= 1;
      out.push(line(), token);
    } else if (token === ",") out.push(token, line());
    else if (token === ":") out.push(": ");
    else out.push(/^[{[]/.test(token) ? token.replaceAll(/\s/g, "") : token);
  }
  return out.join("");
}

/** Its bytes, to be kept as a file. */
export function blob(payload: string, base64: boolean): Blob {
  if (!base64) return new Blob([payload], { type: "application/octet-stream" });
  return new Blob([Uint8Array.from(atob(payload), (c) => c.charCodeAt(0))], { type: "application/octet-stream" });
}
