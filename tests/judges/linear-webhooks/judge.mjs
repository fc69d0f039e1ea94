// Questions, one JSON object a line: {body, secret, signature?, timestamp?}, the body in base64. Answers: whether
// Linear's client takes the delivery, and the signature that Node's own cryptography gives it.
import { createHmac } from "node:crypto";
import { createInterface } from "node:readline";
import { LinearWebhookClient } from "@linear/sdk/webhooks";

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  const body = Buffer.from(question.body, "base64");
  let taken = false;
  try {
    new LinearWebhookClient(question.secret).parseData(body, question.signature, question.timestamp);
    taken = true;
  } catch {
    // refused
  }
  const signature = createHmac("sha256", question.secret).update(body).digest("hex");
  console.log(JSON.stringify({ taken, signature }));
}
