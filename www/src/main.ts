import { ModelLoader } from "./model/model-loader.ts";
import { fromEvaluationFragment } from "./settings/evaluation-setting.ts";
import { fromFragment, toFragment } from "./settings/setting-link.ts";
import { currentAddress, onFragment, writeFragment } from "./ui/address.ts";
import { wireCopy } from "./ui/copy-button.ts";
import { element } from "./ui/dom.ts";
import { wireDrop } from "./ui/dropped-files.ts";
import { keepForOffline } from "./ui/offline.ts";
import { PageState } from "./ui/page-state.ts";
import { PromptView } from "./views/prompt/prompt-view.ts";
import { Views } from "./views/views.ts";
import "uplot/dist/uPlot.min.css";
import "./ui/style.css";
import "./ui/controls.css";
import "./model/model.css";
import "./views/prompt/results.css";
import "./views/views.css";
import "./views/chat/chat.css";

const page = new PageState();
const prompt = new PromptView(page, fromFragment(location.hash), writeLink);
const views = new Views(page, fromEvaluationFragment(location.hash), prompt, writeLink);
const loader = new ModelLoader(page, {
  begin: (written) => prompt.awaitModel(written),
  fit: async (model) => {
    await prompt.fit(model);
    if (page.model === model) {
      views.fitToDevice(model.slow);
    }
  },
});

/** Puts all that is set into the page's address, and tells the views of it. */
function writeLink(): void {
  views.followSetting();
  const parts = [toFragment(prompt.setting), views.fragment];
  writeFragment(parts.filter((part) => part !== "").join("&"));
}

onFragment((fragment) => {
  views.show(fromEvaluationFragment(fragment));
  prompt.show(fromFragment(fragment));
});
// Followed, the link would take the place of the setting in the page's address.
element("skip-link", HTMLAnchorElement).addEventListener("click", (event) => {
  event.preventDefault();
  (views.view === "prompt" ? prompt : views).focus();
});
for (const id of ["copy-link", "chat-link", "compare-link", "tight-link", "drift-link"]) {
  wireCopy(id, currentAddress);
}

wireDrop(({ models, conversations, texts }) => {
  if (models.length > 0) {
    loader.loadFiles(models);
  }
  views.takeIntoChat(conversations, texts);
});

keepForOffline();
prompt.show(prompt.setting);
void loader.start(() => prompt.setting.model);
