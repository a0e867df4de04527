// A small SMART app in the browser: fhirclient from npm, a page that launches and a page that people come back to.

import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'

const FHIRCLIENT = createRequire(import.meta.url).resolve('fhirclient/build/fhir-client.min.js')

const PAGE = script => `<!DOCTYPE html><html lang="en"><title>Breath Well</title><script src="/fhir-client.js"></script>
<main><h1>Breath Well</h1><pre id="told"></pre></main><script>${script}</script></html>`

// `settings` in the query are those of FHIR.oauth2.authorize; an EHR adds `iss` and `launch`.
const LAUNCH = PAGE(`
const query = new URLSearchParams(location.search)
const settings = JSON.parse(query.get('settings') ?? '{}')
FHIR.oauth2.authorize({ redirectUri: '/back', ...settings, iss: query.get('iss') ?? settings.iss })`)

// Keeps the client, for the tests, in \`window.client\`.
const BACK = PAGE(`
const tell = value => { document.getElementById('told').textContent = JSON.stringify(value) }
FHIR.oauth2.ready()
  .then(client => { window.client = client; tell({ response: client.state.tokenResponse, user: client.user.fhirUser }) })
  .catch(error => tell({ error: String(error), query: Object.fromEntries(new URLSearchParams(location.search)) }))`)

export class App {
  // Serves the app on a port of its own.
  static async start() {
    const app = new App()
    const files = new Map([
      ['/launch', ['text/html', LAUNCH]],
      ['/back', ['text/html', BACK]],
      ['/fhir-client.js', ['text/javascript', await readFile(FHIRCLIENT)]],
    ])
    app.server = createServer((request, response) => {
      const [type, body] = files.get(new URL(request.url, 'http://app').pathname) ?? ['text/plain', '']
      response.writeHead(body ? 200 : 404, { 'Content-Type': type }).end(body)
    })
    app.server.listen(0, '127.0.0.1')
    await once(app.server, 'listening')
    app.origin = `http://127.0.0.1:${app.server.address().port}`
    app.back = `${app.origin}/back`
    return app
  }

  stop() {
    this.server.closeAllConnections()
    this.server.close()
  }

  // Opens the app as people do who come from nowhere: it sends them to the server of `settings.iss`.
  async launch(page, settings) {
    await page.goto(`${this.origin}/launch?${new URLSearchParams({ settings: JSON.stringify(settings) })}`)
  }

  // What the app says once somebody has come back.
  async told(page) {
    await page.waitForURL(url => url.href.startsWith(this.back))
    const told = page.locator('#told')
    await told.filter({ hasText: '{' }).waitFor()
    return JSON.parse(await told.textContent())
  }
}
