import type { Beginning } from "../../engine.ts";
import { policyOf, type Policy } from "../../settings/policy.ts";
import { Branch } from "./branch.ts";
import type { ChatDocument } from "./chat-document.ts";
import type { Turn } from "./turn.ts";

/** A conversation under one cache's rules: its branches, of which one is shown. */
export class Conversation {
  readonly policy: Policy;
  /** Name that it was given; empty for none. */
  name = "";
  /** The branch that was saved last, under which name, and how long it was. */
  #saved: { readonly name: string; readonly branch: Branch; readonly length: number } | undefined;
  /** The branches, the one that was shown last at the end. */
  #branches: readonly Branch[];

  private constructor(policy: Policy, branch: Branch) {
    this.policy = policy;
    this.#branches = [branch];
  }

  /** A conversation without a turn. */
  static begin(policy: Policy, beginning: Beginning): Conversation {
    return new Conversation(policy, new Branch(beginning, []));
  }

  /** A conversation about a document. */
  static about(policy: Policy, document: ChatDocument): Conversation {
    return new Conversation(policy, new Branch(document.beginning, [], { document }));
  }

  /** The conversation of a branch that was saved. */
  static ofSaved(branch: Branch): Conversation {
    return new Conversation(policyOf(branch.beginning.cache), branch);
  }

  /** The branch that is shown. */
  get current(): Branch {
    const last = this.#branches.at(-1);
    if (last === undefined) {
      throw new TypeError("a conversation without a branch");
    }
    return last;
  }

  get turns(): readonly Turn[] {
    return this.current.turns;
  }

  /** True if there is nothing in it that could be lost. */
  get isEmpty(): boolean {
    return this.turns.length === 0 && this.document === undefined;
  }

  get document(): ChatDocument | undefined {
    return this.current.document;
  }

  /** Turns in all branches. */
  get size(): number {
    return new Set(this.#branches.flatMap(({ turns }) => turns)).size;
  }

  /** Name that a branch of it is saved under; empty for none. */
  get savedName(): string {
    return this.#saved?.name ?? "";
  }

  /** True if what is shown is saved. Of a document that is without the answers. */
  get isSaved(): boolean {
    return this.#saved?.branch === this.current && this.#saved.length === this.turns.length;
  }

  /** Notes that what is shown has been saved. */
  noteSaved(name: string): void {
    this.name = name;
    this.#saved = { name, branch: this.current, length: this.turns.length };
  }

  /** Notes that its save was deleted, or has become another conversation's. */
  noteUnsaved(): void {
    this.#saved = undefined;
  }

  /** Shows a new branch that has the first `length` turns of the one shown. */
  part(length: number): Branch {
    const branch = this.current.part(length);
    this.#branches = [...this.#branches, branch];
    return branch;
  }

  /** Takes back the newest question, and its branch with it if another has all else of it. */
  takeBack(branch: Branch): void {
    branch.turns.pop();
    const others = this.#branches.filter((other) => other !== branch);
    const { turns } = branch;
    if (others.some((other) => turns.every((turn, at) => other.turns[at] === turn))) {
      branch.close();
      this.#branches = others;
    }
  }

  /** The turns that stand in one place, after the same turns, in the order they were asked. */
  alternatives(index: number): readonly Turn[] {
    const { turns } = this.current;
    const alike = this.#branches.filter((branch) =>
      turns.slice(0, index).every((turn, at) => branch.turns[at] === turn),
    );
    const found = new Set(alike.flatMap((branch) => branch.turns[index] ?? []));
    return [...found].toSorted((one, other) => one.number - other.number);
  }

  /** Shows the branch that has `turn`: of several the one that was shown last. */
  show(turn: Turn): void {
    const branch = this.#branches.findLast(({ turns }) => turns.includes(turn));
    if (branch !== undefined) {
      this.#branches = [...this.#branches.filter((other) => other !== branch), branch];
    }
  }

  /** Frees what is only for another answer to the newest question. */
  rest(): void {
    for (const branch of this.#branches) {
      branch.rest();
    }
  }

  /** Frees its memory. */
  close(): void {
    for (const branch of this.#branches) {
      branch.close();
    }
    this.document?.close();
  }
}
