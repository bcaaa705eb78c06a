// What a text says that it is, as far as it can be read while it is being typed. What it means is for the compiler.
import { yamlLanguage } from "@codemirror/lang-yaml";

export interface Outline {
  namespace?: string;
  name?: string;
  /** The names of its rules. */
  rules: string[];
}

type Node = ReturnType<typeof yamlLanguage.parser.parse>["topNode"];

export function outline(text: string): Outline {
  const root = yamlLanguage.parser.parse(text).topNode.getChild("Document");
  const resource = root ? fields(root.firstChild, text) : new Map<string, Node>();
  const metadata = fields(resource.get("metadata"), text);
  const entries = fields(resource.get("spec"), text).get("rules");
  const rules = (entries?.getChildren("Item") ?? []).flatMap((item) => {
    const entry = fields(item.lastChild, text);
    const [name, type] = [scalar(entry.get("name"), text), scalar(entry.get("type"), text)];
    return name && (type === undefined || type === "rule") ? [name] : [];
  });
  const [namespace, name] = [scalar(metadata.get("namespace"), text), scalar(metadata.get("name"), text)];
  return { ...(namespace ? { namespace } : {}), ...(name ? { name } : {}), rules };
}

function fields(mapping: Node | null | undefined, text: string): Map<string, Node> {
  const found = new Map<string, Node>();
  for (const pair of mapping?.getChildren("Pair") ?? []) {
    const key = scalar(pair.getChild("Key")?.firstChild, text);
    const value = pair.lastChild;
    if (key && value && value.name !== ":") found.set(key, value);
  }
  return found;
}

function scalar(node: Node | null | undefined, text: string): string | undefined {
  if (!node) return undefined;
  const written = text.slice(node.from, node.to).trim();
  if (node.name === "Literal") return written;
  if (node.name === "QuotedLiteral") return written.slice(1, -1);
  return undefined;
}
