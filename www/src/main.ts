import { currentAddress, writeFragment } from "./address.ts";
import { plan, runInTurn } from "./comparison-run.ts";
import { codeFor } from "./code-panel.ts";
import { findDefaultModel, type DefaultModel } from "./default-model.ts";
import { element } from "./dom.ts";
import {
  LoadedModel,
  deleteModel,
  isAborted,
  isDeviceLost,
  requireWebGpu,
  storedModels,
  type ModelSource,
} from "./engine.ts";
import { count, percent, rate } from "./format.ts";
import * as panel from "./model-panel.ts";
import { readModelSource } from "./model-source.ts";
import { keepForOffline } from "./offline.ts";
import { paceOf, type Pace } from "./pace.ts";
import { describeError, describeLoss } from "./problem.ts";
import { hideProblem, showProblem } from "./problem-card.ts";
import { showPlan, wireShorten } from "./run-plan.ts";
import type { Run } from "./run.ts";
import { QUICK_SETTING, type Setting } from "./setting.ts";
import { SettingForm } from "./setting-form.ts";
import { fromFragment, toFragment } from "./setting-link.ts";
import { Stage, copy } from "./stage.ts";
import "uplot/dist/uPlot.min.css";
import "./style.css";
import "./controls.css";
import "./model.css";
import "./result.css";

/** What the page is doing, as `html[data-state]` says for its style and its tests. */
type State = "opening" | "empty" | "loading" | "ready" | "generating" | "failed" | "lost";

const generate = element("generate", HTMLButtonElement);
const stop = element("stop", HTMLButtonElement);
const runStatus = element("run-status", HTMLElement);
const code = element("code", HTMLElement);

const stage = new Stage();
const form = new SettingForm(fromFragment(location.hash), onSetting);

let defaultModel: DefaultModel | undefined;
let model: LoadedModel | undefined;
let source: ModelSource | undefined;
let loading: AbortController | undefined;
let generating: AbortController | undefined;
let runs: readonly Run[] = [];
/** Of the loaded model, once it has run. */
let pace: Pace | undefined;

async function start(): Promise<void> {
  onSetting(form.setting);
  try {
    requireWebGpu();
  } catch (error) {
    setState("failed", "There is no GPU to run a model on.");
    showProblem(describeError(error));
    return;
  }
  defaultModel = await findDefaultModel();
  panel.offerDefault(defaultModel);
  void listStored();
  const wanted = readModelSource(form.setting.model, document.baseURI);
  if (wanted !== undefined && form.setting.model !== "") {
    // A link's author chose this address, not its reader: the reader's click asks for it.
    panel.showSource(form.setting.model);
    panel.askForModel();
    setState("empty", "This link names a model. Load fetches it from there.");
  } else {
    await loadDefault();
  }
}

async function loadDefault(): Promise<void> {
  if (defaultModel === undefined) {
    panel.askForModel();
    setState("empty", "Choose a model to begin.");
  } else {
    await load(defaultModel.url, "", defaultModel.name);
  }
}

async function load(from: ModelSource, written: string, name = nameOf(from)): Promise<void> {
  generating?.abort();
  loading?.abort();
  const controller = new AbortController();
  loading = controller;
  hideProblem();
  panel.showNote("");
  const before = model;
  model = undefined;
  pace = undefined;
  before?.dispose();
  source = from;
  panel.showName(name);
  onSetting({ ...form.setting, model: written });
  setState("loading", "Loading…");
  try {
    const loaded = await LoadedModel.load(from, {
      signal: controller.signal,
      onProgress: (progress) => {
        if (loading === controller) {
          panel.showProgress(progress);
        }
      },
      onWarning: (warning) => panel.showNote(`The model is not kept for next time: ${warning.message}`),
    });
    if (loading !== controller) {
      loaded.dispose();
      return;
    }
    model = loaded;
    void loaded.lost.then((loss) => {
      if (model === loaded) {
        model = undefined;
        generating?.abort();
        setState("lost", "The GPU is gone.");
        showProblem(describeLoss(loss), () => void load(from, written, name));
      }
    });
    setState("ready", `Ready: ${loaded.summary}`);
    fitToDevice();
  } catch (error) {
    if (loading === controller) {
      onLoadFailed(error, () => void load(from, written, name));
    }
  } finally {
    if (loading === controller) {
      loading = undefined;
      panel.showProgress(undefined);
      panel.showDone(model?.origin);
    }
    void listStored();
  }
}

/** Whether the loaded model runs on no real GPU. */
const isSlow = (): boolean => model?.slow ?? false;

/** A setting that nobody has touched is made one that this device is done with soon. */
function fitToDevice(): void {
  const untouched = toFragment({ ...form.setting, model: "" }) === "";
  onSetting(isSlow() && untouched ? { ...form.setting, ...QUICK_SETTING } : form.setting);
}

function onLoadFailed(error: unknown, retry: () => void): void {
  if (isAborted(error)) {
    panel.askForModel();
    setState("empty", "Cancelled. What was fetched is kept.");
  } else {
    setState("failed", "The model was not loaded.");
    showProblem(describeError(error), retry);
  }
}

async function run(): Promise<void> {
  if (model === undefined || !form.report()) {
    return;
  }
  hideProblem();
  const controller = new AbortController();
  generating = controller;
  const { setting } = form;
  prepareRuns();
  setState("generating");
  stop.focus();
  try {
    await runInTurn(model, setting, runs, controller.signal, () => {
      sayRun();
      stage.update();
    });
  } catch (error) {
    if (!isDeviceLost(error)) {
      showProblem(describeError(error), () => void run());
    }
  } finally {
    generating = undefined;
    pace = paceOf(runs, setting.prompt) ?? pace;
    showPlan(form.setting, isSlow(), pace);
    stage.update();
    if (model !== undefined) {
      setState("ready");
    }
    sayRun();
    if (document.activeElement === stop || document.activeElement === document.body) {
      generate.focus({ preventScroll: true });
    }
  }
  const failed = runs.find(({ problem }) => problem !== undefined);
  if (failed?.problem !== undefined && model !== undefined) {
    showProblem(failed.problem, () => void run());
  }
}

/** Empty columns, chart and picture for the runs that the setting asks for. */
function prepareRuns(): void {
  runs = plan(form.setting);
  const name = element("model-name", HTMLElement).textContent ?? "";
  stage.show(runs, form.setting, { model: name, device: model?.device });
}

function onSetting(setting: Setting): void {
  if (setting !== form.setting) {
    form.show(setting);
  }
  writeFragment(toFragment(setting));
  code.textContent = codeFor(setting, source, true);
  showPlan(setting, isSlow(), pace);
  const untouched = runs.every(({ state }) => state === "waiting");
  if (generating === undefined && untouched) {
    prepareRuns();
  }
}

/** Tells how the runs stand: a line that changes with each phase, not with each token. */
function sayRun(): void {
  const index = runs.findIndex(({ running }) => running);
  const current = runs[index];
  const text =
    current === undefined
      ? summaryOfRuns()
      : `Run ${index + 1} of ${runs.length}, ${current.policy.name}: ${current.state === "prefill" ? "reading the prompt" : "writing"}.`;
  if (runStatus.textContent !== text) {
    runStatus.textContent = text;
  }
}

function summaryOfRuns(): string {
  const [first] = runs;
  if (first === undefined || first.pieces.length === 0) {
    return model === undefined ? "Runs once the model is there." : "Ready to run.";
  }
  const speed = first.usage?.decodeTokensPerSecond ?? first.tokensPerSecond;
  const figure = first.saved === undefined ? "" : `, ${percent(first.saved)} of the cache saved`;
  const ended = first.state === "done" ? "Done" : first.state === "failed" ? "Failed" : "Stopped";
  return `${ended}: ${count(first.pieces.length)} tokens at ${rate(speed)} a second${figure}.`;
}

function setState(state: State, line?: string): void {
  document.documentElement.dataset["state"] = state;
  generate.disabled = state !== "ready";
  stop.disabled = state !== "generating";
  if (line !== undefined) {
    panel.showStatus(line);
    sayRun();
  }
}

async function listStored(): Promise<void> {
  panel.showStored(await storedModels());
}

function nameOf(from: ModelSource): string {
  if (typeof from === "string") {
    return decodeURIComponent(from.slice(from.lastIndexOf("/") + 1));
  }
  return "repo" in from ? from.file : (from[0]?.name ?? "");
}

panel.wireModelPanel({
  load: (from, written) => void load(from, written),
  loadDefault: () => void loadDefault(),
  cancel: () => loading?.abort(),
  remove: (stored) =>
    void deleteModel(stored)
      .catch((error: unknown) => showProblem(describeError(error)))
      .then(listStored),
});
wireShorten(() => {
  onSetting({ ...form.setting, ...QUICK_SETTING });
  generate.focus();
});
// Followed, the link would take the place of the setting in the page's address.
element("skip-link", HTMLAnchorElement).addEventListener("click", (event) => {
  event.preventDefault();
  element("prompt", HTMLTextAreaElement).focus();
});
generate.addEventListener("click", () => void run());
stop.addEventListener("click", () => generating?.abort());
element("prompt", HTMLTextAreaElement).addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !generate.disabled) {
    void run();
  }
});
for (const [id, text] of [
  ["copy-code", () => codeFor(form.setting, source)],
  ["copy-link", currentAddress],
] as const) {
  const button = element(id, HTMLButtonElement);
  button.addEventListener("click", () => void copy(text(), button));
}
addEventListener("hashchange", () => onSetting(fromFragment(location.hash)));

keepForOffline();
void start();
