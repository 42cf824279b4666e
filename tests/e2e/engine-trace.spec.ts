import { expect, test } from "./engine-test.ts";

/** Executes a program's text, knowing nothing of the library, and gives the answer's lines. */
function execute(prompt: string): string[] {
  const values = new Map<string, number>();
  const lines = prompt.slice(0, -">".length).split(";").slice(0, -1);
  return lines.map((line) => {
    const [variable = "", right = ""] = line.split("=");
    expect(values.has(variable)).toBe(false);
    if (/^\d$/.test(right)) {
      values.set(variable, Number(right));
      return `${line};`;
    }
    const [left = "", operator = "", other = ""] = right;
    const [x = Number.NaN, y = Number.NaN] = [values.get(left), values.get(other)];
    const value = operator === "+" ? x + y : operator === "-" ? x - y + 10 : x * y;
    values.set(variable, value % 10);
    return `${line}=${x}${operator}${y}=${value % 10};`;
  });
}

test("programs of the trace task are made from seeds, answered by executing them, and graded line by line", async ({
  page,
}) => {
  const { programs, grades, codes } = await page.evaluate(async () => {
    const engine = await kvscope.Engine.load("/tiny.gguf");
    const made = [];
    for (const [lines, seed] of [
      [16, 0],
      [16, 0],
      [16, 1],
      [48, 4_294_967_295],
    ] as const) {
      made.push(await engine.trace.program(lines, seed));
    }
    const [first] = made;
    const answers = [
      first?.answer ?? "",
      `${first?.answer}and more`,
      first?.answer.replace(/\d;$/, (end) => `${(Number(end[0]) + 1) % 10};`) ?? "",
      first?.answer.slice(first.answer.indexOf(";") + 1) ?? "",
      "",
    ];
    const graded = [];
    for (const answer of answers) {
      graded.push(await engine.trace.grade({ lines: 16, seed: 0 }, answer));
    }
    const wrong = [
      engine.trace.program(0, 0),
      engine.trace.program(53, 0),
      engine.trace.program(1.5, 0),
      engine.trace.program(16, -1),
      engine.trace.program(16, 2 ** 32),
      engine.trace.grade({ lines: 16, seed: 0 }, undefined as unknown as string),
    ];
    return { programs: made, grades: graded, codes: await Promise.all(wrong.map(codeOf)) };
  });
  const [first, again, other] = programs;
  expect(again).toEqual(first);
  expect(other?.prompt).not.toBe(first?.prompt);
  for (const { lines, prompt, answer } of programs) {
    const executed = execute(prompt);
    expect(executed).toHaveLength(lines);
    expect(answer).toBe(executed.join(""));
  }
  const all = Array.from({ length: 16 }, () => true);
  const none = all.map(() => false);
  expect(grades).toEqual([all, all, [...all.slice(1), false], none, none]);
  expect(codes).toEqual(Array.from({ length: 6 }, () => "invalid-argument"));
});
