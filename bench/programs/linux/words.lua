-- Counts the words of a C source, sorts them, and rewrites its lines: what scripts do to text.
local text = assert(io.open(arg[1])):read("a")

local counts, order = {}, {}
for word in text:gmatch("[%a_][%w_]*") do
  if not counts[word] then
    counts[word] = 0
    order[#order + 1] = word
  end
  counts[word] = counts[word] + 1
end
table.sort(order, function(a, b)
  if counts[a] ~= counts[b] then return counts[a] > counts[b] end
  return a < b
end)
for n = 1, 50 do print(counts[order[n]], order[n]) end

-- Classes with methods, strings built and taken apart.
local Line = {}
Line.__index = Line
function Line.new(s) return setmetatable({ text = s, depth = 0 }, Line) end
function Line:scan(depth)
  for n = 1, #self.text do
    local c = self.text:byte(n)
    if c == 123 then depth = depth + 1 elseif c == 125 then depth = depth - 1 end
  end
  self.depth = depth
  return depth
end
function Line:render() return ("%2d %s"):format(self.depth, self.text:gsub("%s+", " "):upper()) end

local depth, sum = 0, 0
for s in text:gmatch("[^\n]*\n") do
  local line = Line.new(s)
  depth = line:scan(depth)
  for n = 1, #line:render() do sum = (sum * 31 + line.text:len() + n) % 4294967291 end
end
print(sum)

-- The eight queens, on a larger board.
local function queens(n)
  local found, columns, up, down = 0, {}, {}, {}
  local function place(row)
    if row > n then found = found + 1 return end
    for column = 1, n do
      if not (columns[column] or up[row + column] or down[row - column]) then
        columns[column], up[row + column], down[row - column] = true, true, true
        place(row + 1)
        columns[column], up[row + column], down[row - column] = nil, nil, nil
      end
    end
  end
  place(1)
  return found
end
print(queens(8))
