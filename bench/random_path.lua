-- For wrk: GET of a random line of the file that CODES names, as a browser.
local codes = {}
for line in io.lines(os.getenv("CODES")) do codes[#codes + 1] = "/" .. line end
local headers = {["User-Agent"] = os.getenv("BROWSER")}
local thread = 0
function setup(one) thread = thread + 1; one:set("seed", thread) end
function init() math.randomseed(seed) end
function request() return wrk.format("GET", codes[math.random(#codes)], headers) end
