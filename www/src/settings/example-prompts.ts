const STATION = `Below is the log of a small weather station on an island, one entry for each \
visit of the supply boat.

January. The boat came through ice and brought flour, lamp oil, two new thermometers and a letter \
from the institute. The keeper, Ada Renn, has been here for eleven years; her assistant, Tomas, \
came last autumn and still counts the days. The barometer in the hall fell further than anyone had \
seen, and the storm that followed took the shed's roof, which they found on the beach and carried \
back in four pieces.

February. Fog for nineteen days. Nothing could be measured but the fog, so they measured it: they \
tied white cloths to stakes at ten paces, twenty and thirty, and wrote down each hour which could \
be seen. Ada says that a station which only measures what its instruments were made for is half \
asleep. Tomas began to build a small wind vane in the shape of a heron.

March. The first birds. A seal slept on the landing for three days and the boat had to wait. The \
institute asks for the readings of soil temperature that nobody has taken since the last keeper; \
Ada found his notebooks in the cellar, dry and complete, with drawings of clouds on every second \
page.

April. They copied the notebooks in the evenings. The last keeper, a man called Oskar Lind, had \
seen a green flash at sunset nine times and had written the angle of the sun at each. Tomas saw \
one on the twelfth, alone, and ran to the house too late to show it to anyone. The heron turns \
well but squeaks.

May. Warm, and the well is low. The boat brought a pump that does not fit. Ada made it fit with \
leather from an old boot. A school wrote: thirty children want to know how a cloud is weighed. \
Tomas answered with four pages and a drawing.

June. The children answered his answer. They had weighed a cloud over their own town, by his \
method, and got the weight of two hundred elephants; they asked whether that could be right. It \
was. The longest day was clear from beginning to end, and the sunshine recorder burnt one unbroken \
line across its card, which Ada hung on the kitchen wall.

July. Thunder every afternoon. Lightning struck the mast, melted the heron's beak and stopped the \
hall clock at four minutes past three. Nobody was hurt. The barometer is now read by candle, since \
the lamp oil was spoiled by sea water.

August. A painter came with the boat and stayed until the next. She painted the fog stakes, the \
seal, the clock that had stopped, and Ada asleep over the notebooks, which Ada did not like and \
then did. The institute writes that the station may be closed next year and machines put in its \
place.

September. They wrote back with figures: of the last hundred storms the station had given warning \
of ninety-one, and the machines on the next island of sixty-four, because their sensors freeze. \
The children wrote too, without being asked, all thirty of them. Tomas no longer counts the days.

October. Gales. The pump holds. Oskar Lind's daughter came with the boat; she is seventy and had \
never seen the island. She read her father's notebooks in the kitchen for a whole day and left \
them where they were, because, she said, they were still in use.

November. The answer came: the station stays open, with machines beside it, so that each can \
correct the other. Ada is to train whoever comes. Tomas asked to stay five more years. The first \
snow fell into a calm sea.

December. The boat could not land and threw the post ashore in a barrel. In it were the new \
thermometers' certificates, a calendar painted by the painter, and a small brass beak from the \
children, made to fit a heron.`;

/** Prompt that is short enough for a CPU that stands in for a GPU. */
export const SHORT_PROMPT = `${STATION.split("\n\n").slice(0, 2).join("\n\n")}

Retell this month at the station as a short story.`;

/** Prompts to begin with. All but the last are long or ask for long answers: budgets matter. */
export const EXAMPLES: readonly { readonly name: string; readonly prompt: string }[] = [
  {
    name: "Long text, long answer",
    prompt: `${STATION}

Retell this year at the station as a story, month by month, in the order of the log.`,
  },
  {
    name: "Find one fact in a long text",
    prompt: `${STATION}

How many times had Oskar Lind seen the green flash, and who saw it in April? Answer in full \
sentences.`,
  },
  {
    name: "Short question, long answer",
    prompt:
      "Write a guide for somebody who moves into their first home: first cooking, then cleaning, " +
      "then repairs, then money. Give ten numbered tips for each of the four, " +
      "each in two sentences.",
  },
  { name: "Short text, short answer", prompt: SHORT_PROMPT },
];

export const DEFAULT_PROMPT = EXAMPLES[0]?.prompt ?? "";
