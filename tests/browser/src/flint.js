// A flint with authentication on, over the surgery of examples/surgery, set up with the commands that the README names.

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const ROOT = new URL('../../../', import.meta.url).pathname
const BINARY = process.env.FLINT_BIN ?? join(ROOT, 'target/debug/flint')
const DAY = 24 * 60 * 60 * 1000

export class Flint {
  // A store that holds the surgery; nothing serves it yet.
  static async prepare() {
    const flint = new Flint()
    flint.folder = await mkdtemp(join(tmpdir(), 'flint-browser-'))
    flint.origin = `http://127.0.0.1:${await freePort()}`
    flint.base = `${flint.origin}/fhir`
    const seed = join(flint.folder, 'surgery.json')
    await writeFile(seed, JSON.stringify(await surgery()))
    await flint.command(['import', seed])
    return flint
  }

  // Runs a command of flint on the store, with a line for its standard input; returns what it printed.
  command(words, input = '') {
    return new Promise((resolve, reject) => {
      const settings = ['--data', join(this.folder, 'store'), '--base-url', this.base]
      const child = execFile(BINARY, [...words, ...settings], (error, stdout, stderr) =>
        error ? reject(new Error(`flint ${words.join(' ')}: ${stderr}`)) : resolve(stdout))
      child.stdin.end(input)
    })
  }

  // Registers an app or a system.
  async addApp(words) {
    const printed = await this.command(['app', 'add', ...words])
    const told = name => printed.match(new RegExp(`^${name}: (.*)$`, 'm'))?.[1]
    return { id: told('client id'), secret: told('client secret') }
  }

  // Lets somebody sign in.
  async addUser(name, fhirUser, password) {
    await this.command(['user', 'add', name, '--fhir-user', fhirUser], `${password}\n`)
  }

  // Serves the store until `stop`.
  async serve(words = []) {
    const listen = this.origin.replace('http://', '')
    const settings = ['--listen', listen, '--data', join(this.folder, 'store'), '--log', 'warn']
    this.child = spawn(BINARY, ['serve', ...settings, ...words], { stdio: ['ignore', 'pipe', 'inherit'] })
    for await (const line of createInterface({ input: this.child.stdout })) {
      if (line.includes('flint serves ')) break
    }
    // Unread lines would stop the server when the pipe is full.
    this.child.stdout.resume()
  }

  async stop() {
    if (this.child?.exitCode === null) {
      this.child.kill()
      await once(this.child, 'exit')
    }
    await rm(this.folder, { recursive: true, force: true })
  }

  // `GET` below the FHIR base URL; the answer's status and JSON.
  async get(path, token) {
    const headers = token ? { Authorization: `Bearer ${token}` } : {}
    const response = await fetch(`${this.base}${path}`, { headers })
    return { status: response.status, headers: response.headers, json: await response.json() }
  }

  // `POST` of a form to the authorization server.
  async post(path, form, headers = {}) {
    const response = await fetch(`${this.origin}${path}`, { method: 'POST', body: new URLSearchParams(form), headers })
    const text = await response.text()
    return { status: response.status, json: text ? JSON.parse(text) : undefined }
  }
}

// The surgery of examples/surgery, whose consents begin in 2027, with consents that hold today.
async function surgery() {
  const bundle = JSON.parse(await readFile(join(ROOT, 'examples/surgery/data/seed-transaction.json'), 'utf8'))
  const date = at => new Date(at).toISOString().slice(0, 10)
  for (const { resource } of bundle.entry) {
    const period = resource.resourceType === 'Consent' && resource.provision.period
    if (period) Object.assign(period, { start: date(Date.now() - DAY), end: date(Date.now() + 90 * DAY) })
  }
  return bundle
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}
