-- For wrk: CreateLink, a new URL each time.
local headers = {["Authorization"] = "Bearer " .. os.getenv("KEY"), ["Content-Type"] = "application/json"}
local thread = 0
function setup(one) thread = thread + 1; one:set("number", thread * 100000000) end
function request()
    number = number + 1
    local body = '{"workspace_id":"' .. os.getenv("WORKSPACE") .. '","url":"https://shop.example/item/' .. number .. '"}'
    return wrk.format("POST", "/v1/commands/CreateLink", headers, body)
end
