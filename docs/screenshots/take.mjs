// Takes the screenshots of this folder from a running stack, as an organiser and two buyers see it.
//
//   npm install playwright-core && node take.mjs SHOP INBOX ORGANISER_EMAIL ORGANISER_PASSWORD
//
// Needs Debian's package chromium. The addresses and the password are what `make up` prints at its end.
import { chromium } from "playwright-core";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const [shop, inbox, email, password] = process.argv.slice(2);
if (!password) throw new Error("usage: node take.mjs SHOP INBOX ORGANISER_EMAIL ORGANISER_PASSWORD");
const folder = dirname(fileURLToPath(import.meta.url));
const devices = {
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
  desktop: { viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1 },
};

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

async function makeEvent() {
  const page = await browser.newPage(devices.desktop);
  await page.goto(`${shop}/organiser/sign-in`);
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  const slug = `harbour-lights-${Date.now()}`;
  await page.goto(`${shop}/organiser/events/new`);
  await page.locator("[name=title]").fill("Harbour Lights");
  await page.locator("[name=starts_at]").fill("2027-06-19T19:30");
  await page.locator("[name=venue]").fill("The Boat House, Galway");
  await page.locator("[name=summary]").fill("Six bands, one long evening, and the sea behind the stage.\nDoors open at half past six. Bring something warm.");
  await page.locator("[name=slug]").fill(slug);
  const rows = page.locator("fieldset.row");
  for (const [row, values] of [["Standing", "24.50", "300"], ["Seated", "38.00", "120"], ["Children under 12", "", "60"]].entries()) {
    for (const [column, value] of values.entries()) await rows.nth(row).locator("input").nth(column).fill(value);
  }
  await page.getByRole("button", { name: "Put it on sale" }).click();
  await page.waitForLoadState();
  await page.screenshot({ path: join(folder, "organiser-desktop.png") });
  await page.close();
  return slug;
}

async function buy(name, device, slug) {
  const page = await browser.newPage(device);
  const take = (what) => page.screenshot({ path: join(folder, `${what}-${name}.png`) });
  const address = `mary.${name}@example.org`;
  await page.goto(`${shop}/e/${slug}`);
  await take("shop");
  await page.getByLabel("Children under 12").selectOption("2");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.locator("[name=name]").fill("Mary Keane");
  await page.locator("[name=email]").fill(address);
  await take("checkout");
  await page.getByRole("button", { name: "Get my tickets" }).click();
  await page.getByText("You’re going").waitFor({ timeout: 60000 });
  await take("ticket");
  for (let tries = 0; tries < 60; tries++) {
    await page.goto(`${inbox}/?to=${encodeURIComponent(address)}`);
    const mail = page.locator("a", { hasText: "Harbour Lights" }).first();
    if (await mail.count()) { await mail.click(); break; }
    await page.waitForTimeout(500);
  }
  await page.waitForLoadState("networkidle");
  await take("mail");
  await page.close();
}

const slug = await makeEvent();
for (const [name, device] of Object.entries(devices)) await buy(name, device, slug);
await browser.close();
