// Questions, one JSON object a line: {body, secret, signature}. Answers: whether GitHub's library takes the signature,
// and the one it makes itself.
import { createInterface } from "node:readline";
import { sign, verify } from "@octokit/webhooks-methods";

for await (const line of createInterface({ input: process.stdin })) {
  const { body, secret, signature } = JSON.parse(line);
  let taken = false;
  try {
    taken = await verify(secret, body, signature);
  } catch {
    // refused
  }
  console.log(JSON.stringify({ taken, signature: await sign(secret, body) }));
}
