-- For wrk with two threads: GET of every line of the file that CODES names, one after the other, as a browser.
local codes = {}
for line in io.lines(os.getenv("CODES")) do codes[#codes + 1] = "/" .. line end
local headers = {["User-Agent"] = os.getenv("BROWSER")}
local threads = 0
function setup(one) one:set("at", threads); threads = threads + 1 end
function request()
    at = (at + 2) % #codes
    return wrk.format("GET", codes[at + 1], headers)
end
