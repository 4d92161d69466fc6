import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { connectionInputs } from "../../engine/plugins/command/inputs";
import { plugin as command } from "../../engine/plugins/command/plugin";
import type { ResourceType } from "../../engine/plugins/protocol/resource";
import type { Shape } from "../../engine/plugins/protocol/shape";
import { plugin as random } from "../../engine/plugins/random/plugin";
import { root } from "./support/plugin";

interface Member {
  readonly optional: boolean;
  /** The type as written, less `pulumi.Input` and `| undefined`. */
  readonly type: string;
}

/** Members of an interface or the readonly properties of a class in a published declaration file. */
function membersOf(file: string, name: string): Map<string, Member> {
  const path = join(root, "node_modules", "@pulumi", file);
  const source = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.ES2022, true);
  const members = new Map<string, Member>();
  const visit = (node: ts.Node): void => {
    if ((ts.isInterfaceDeclaration(node) || ts.isClassDeclaration(node)) && node.name?.text === name) {
      for (const member of node.members) {
        if (!ts.isPropertySignature(member) && !ts.isPropertyDeclaration(member)) continue;
        const type = (member.type?.getText(source) ?? "").replace(/\s+/g, " ");
        const wrapped = /^pulumi\.(?:Input|Output)<(.*)>$/.exec(type)?.[1] ?? type;
        members.set(member.name.getText(source), {
          optional: member.questionToken !== undefined,
          type: wrapped.replace(/ \| undefined$/, ""),
        });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  if (members.size === 0) throw new Error(`no ${name} in ${path}`);
  return members;
}

const kinds: [RegExp, string[]][] = [
  [/^string$/, ["string"]],
  [/^number$/, ["number", "integer"]],
  [/^boolean$/, ["boolean"]],
  [/^any\[\]$/, ["array"]],
  [/^{ \[key: string\]: pulumi\.Input<string>; }$/, ["stringMap"]],
  [/^enums\..*Logging$/, ["string"]],
  [/^inputs\..*ConnectionArgs$/, ["object"]],
];

function expectSameInputs(shape: Shape, published: Map<string, Member>): void {
  expect(Object.keys(shape).sort()).toEqual([...published.keys()].sort());
  for (const [name, { optional, type }] of published) {
    const spec = shape[name];
    expect([name, spec?.required === true], name).toEqual([name, !optional]);
    const kind = typeof spec?.kind === "object" ? "object" : spec?.kind;
    expect(kinds.find(([pattern]) => pattern.test(type))?.[1] ?? [`no rule for ${type}`], name).toContain(kind);
  }
}

function typeOf(types: { readonly [token: string]: ResourceType }, token: string): ResourceType {
  const type = types[token];
  if (!type) throw new Error(`${token} is not served`);
  return type;
}

describe.each([
  [command, "command:remote:Command", "command/remote/command", "Command", "CommandArgs"],
  [random, "random:index/randomId:RandomId", "random/randomId", "RandomId", "RandomIdArgs"],
] as const)("%s", (plugin, token, file, className, argsName) => {
  const type = typeOf(plugin.types, token);

  it(`${token} has the published token`, () => {
    expect(readFileSync(join(root, "node_modules", "@pulumi", `${file}.js`), "utf8")).toContain(`'${token}'`);
  });

  it(`${token} knows every published input, with its type and whether it is required`, () => {
    expectSameInputs(type.inputs, membersOf(`${file}.d.ts`, argsName));
  });

  it(`${token} knows every published output`, () => {
    const published = [...membersOf(`${file}.d.ts`, className).keys()];
    expect([...Object.keys(type.inputs), ...type.outputs].sort()).toEqual(published.sort());
  });
});

describe("command", () => {
  it("knows every published input of a connection", () => {
    expectSameInputs(connectionInputs, membersOf("command/types/input.d.ts", "ConnectionArgs"));
  });

  it("has the published defaults of a connection", () => {
    const sdk = require("@pulumi/command/types/input") as {
      remote: { connectionArgsProvideDefaults(value: object): Record<string, unknown> };
    };
    const { host, ...published } = sdk.remote.connectionArgsProvideDefaults({ host: "h" });
    const ours = Object.entries(connectionInputs).flatMap(([name, spec]) =>
      spec.default === undefined ? [] : [[name, spec.default]],
    );
    expect(host).toBe("h");
    expect(Object.fromEntries(ours)).toEqual(published);
  });
});

it.each([
  [command, "command"],
  [random, "random"],
])("plugin %# has the version that its SDK asks for", (plugin, name) => {
  const { version } = JSON.parse(readFileSync(join(root, "node_modules", "@pulumi", name, "package.json"), "utf8")) as {
    version: string;
  };
  expect(plugin).toMatchObject({ name, version });
});
