// What a user of Linear's own client does. Each line of the input is {apiUrl, apiKey, issue}; each line of the output
// is what the client saw, or the kind of its error.
import { createInterface } from "node:readline";
import { LinearClient } from "@linear/sdk";

async function use({ apiUrl, apiKey, issue: id }) {
  const linear = new LinearClient({ apiUrl, apiKey });
  const issue = await linear.issue(id);
  const state = await issue.state;
  const team = await issue.team;
  const created = await linear.createComment({ issueId: issue.id, body: "from the client" });
  const states = await team.states();
  const done = states.nodes.find((one) => one.type === "completed");
  const updated = await linear.updateIssue(issue.id, { stateId: done.id, title: "Renamed" });
  const again = await linear.issue(id);
  const comments = await again.comments();
  const issues = await linear.issues({ first: 1, filter: { team: { key: { eq: team.key } } } });
  const both = await issues.fetchNext();
  return {
    before: [issue.title, state.name, team.key],
    me: (await linear.viewer).displayName,
    said: [created.success, (await created.comment).body],
    after: [updated.success, again.title, (await again.state).name],
    comments: comments.nodes.map((comment) => comment.body),
    issues: both.nodes.map((one) => one.identifier),
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await use(JSON.parse(line)).catch((error) => error.constructor.name);
  console.log(JSON.stringify(answer));
}
