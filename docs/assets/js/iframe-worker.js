/*
 * Поиск на странице, открытой прямо с диска.
 *
 * Поиск Material считает в отдельном потоке (Worker), а браузер не даёт завести поток странице с адресом
 * file://. Здесь вместо потока тот же сценарий исполняется в скрытом фрейме: у фрейма, как и у потока,
 * свои глобальные имена, поэтому поиск не мешает странице. По http(s) этот файл ничего не делает.
 */
if (location.protocol === "file:")
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      this.url = new URL(url, document.baseURI)
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      this.frame.title = "Поиск"
      document.body.append(this.frame)

      const scope = this.frame.contentWindow
      scope.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data }))
      // Адреса считаются от сценария потока, как и в настоящем importScripts. Настоящий ждёт загрузки,
      // наш возвращает обещание: Material его дожидается (await).
      scope.importScripts = async (...urls) => {
        for (const path of urls)
          await this.load(new URL(path, this.url))
      }
      this.ready = this.load(this.url)
    }

    /* Сообщения, пришедшие до загрузки сценария, подождут и дойдут по порядку. */
    async postMessage(data) {
      await this.ready
      const scope = this.frame.contentWindow
      scope.dispatchEvent(new scope.MessageEvent("message", { data }))
    }

    terminate() {
      this.frame.remove()
    }

    load(url) {
      return new Promise((resolve, reject) => {
        const page = this.frame.contentDocument
        const script = page.createElement("script")
        script.src = url
        script.onload = resolve
        script.onerror = () => reject(new Error(`Не загрузился сценарий ${url}`))
        page.head.append(script)
      })
    }
  }
