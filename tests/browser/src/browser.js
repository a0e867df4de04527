// Debian's Chromium, people who use the sign-in pages in it, and a critical look at each page.

import assert from 'node:assert/strict'
import { mkdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const PICTURES = process.env.FLINT_PICTURES ?? join(tmpdir(), 'flint-pictures')
const WIDTHS = [1280, 320]
// The browser runs as root in CI, and finds none of the services that it looks for at its start.
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync']

export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'

export async function startBrowser() {
  await mkdir(PICTURES, { recursive: true })
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS })
}

// Somebody's browser: cookies of its own.
export async function open(browser, settings = {}) {
  const context = await browser.newContext({ viewport: { width: WIDTHS[0], height: 900 }, ...settings })
  context.setDefaultTimeout(20_000)
  return context.newPage()
}

export async function signIn(page, name, password) {
  await page.getByLabel('User name').fill(name)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

export async function choose(page, name) {
  await page.getByLabel(name).check()
  await page.getByRole('button', { name: 'Continue' }).click()
}

export async function press(page, name) {
  await page.getByRole('button', { name }).first().click()
}

// Takes pictures of the page in all widths; it must fit in, and axe must find nothing.
export async function look(page, name) {
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 900 })
    await page.screenshot({ path: join(PICTURES, `${name}-${width}.png`), fullPage: true })
    const wide = await page.evaluate(() => document.documentElement.scrollWidth)
    assert.ok(wide <= width, `${name} is ${wide} pixels wide in ${width}`)
    await page.evaluate(AXE)
    const { violations } = await page.evaluate(() => globalThis.axe.run())
    const found = violations.map(one => `${one.id}: ${one.help}: ${one.nodes.map(node => node.html).join(' ')}`)
    assert.deepEqual(found, [], `${name} in ${width}`)
  }
  await page.setViewportSize({ width: WIDTHS[0], height: 900 })
}
